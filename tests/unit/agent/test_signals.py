import os
import subprocess
import sys
import threading
from types import FrameType
from typing import Any

import pytest

from connbeat.agent.signals import Wake

#: What a handler does that comes at the second signal.
LEAVE = (sys.executable, "-c", "from connbeat.agent.signals import leave_at_once as l; l()")
#: Only a hang takes so long.
HANG_SECONDS = 20


def test_each_call_wakes_once() -> None:
    wake = Wake()
    assert not wake.wait(-1)
    wake.set()
    wake.set()
    assert [wake.wait(0), wake.wait(0), wake.wait(0)] == [True, True, False]


def test_another_thread_wakes_who_waits() -> None:
    wake = Wake()
    thread = threading.Thread(target=wake.set)
    thread.start()
    assert wake.wait(HANG_SECONDS)
    thread.join()


def test_a_handler_may_come_at_any_line_of_the_waiting() -> None:
    """As a signal does, which Python handles between any two lines of the main thread."""
    wake, woken = Wake(), []

    def interrupt(_frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            wake.set()
        return interrupt

    def wait() -> None:
        sys.settrace(interrupt)
        woken.append(wake.wait(HANG_SECONDS))
        woken.append(wake.wait(HANG_SECONDS))
        sys.settrace(None)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    thread.join(HANG_SECONDS)
    assert woken == [True, True]


def test_leaving_says_why() -> None:
    done = subprocess.run(LEAVE, stderr=subprocess.PIPE, check=False, timeout=HANG_SECONDS)
    assert (done.returncode, done.stderr) == (1, b"connbeat: second signal, leaving at once\n")


@pytest.mark.parametrize("is_gone", [False, True])
def test_leaving_waits_for_no_one_who_reads_the_log(is_gone: bool) -> None:
    """The pipe is full, and its reader sleeps or has ended."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writer, True)
    if is_gone:
        os.close(reader)
    done = subprocess.run(LEAVE, stderr=writer, check=False, timeout=HANG_SECONDS)
    os.close(writer)
    if not is_gone:
        os.close(reader)
    assert done.returncode == 1
