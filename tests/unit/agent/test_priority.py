import subprocess
import sys

from connbeat.agent.priority import chosen

_APPLY = """
import os
from connbeat.agent.priority import apply_priority, chosen
before = os.sched_getaffinity(0)
print(os.getpriority(os.PRIO_PROCESS, 0))
print(apply_priority(None, 0), os.sched_getaffinity(0) == before)
print(apply_priority(19, 1), os.getpriority(os.PRIO_PROCESS, 0))
print(os.sched_getaffinity(0) == chosen(before, 1))
"""


def test_it_holds_for_this_process_and_nothing_changes_unasked() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _APPLY], capture_output=True, text=True, check=True
    )
    first, *rest = done.stdout.splitlines()
    assert first.lstrip("-").isdigit()
    assert rest == ["{} True", "{} 19", "True"]


def test_the_processors_with_the_highest_numbers_are_chosen() -> None:
    assert chosen({0, 1, 2, 5}, 2) == {2, 5}
    assert chosen({0, 1}, 9) == {0, 1}
