import pytest

from bench.profile.stacks import Place, by_function, by_module, by_room, parse_stacks

RAW = """\
run (connbeat/agent/observe.py:230);tick (/opt/x/connbeat/capture/kernel.py:99) 30
run (connbeat/agent/observe.py:230);_fold (connbeat/connections/tracker.py:10);<listcomp> (connbeat/connections/life.py:7);encode (/usr/lib/msgspec/_utils.py:3) 20
run (connbeat/agent/observe.py:230);_fold (connbeat/connections/tracker.py:10) 10
_bootstrap (threading.py:1002) 5
"""  # noqa: E501  a stack is one line


def test_a_sample_counts_for_the_innermost_function_of_connbeat() -> None:
    samples = parse_stacks(RAW)
    assert samples[Place("connbeat/capture/kernel", "tick")] == 30
    assert samples[Place("connbeat/connections/life", "<listcomp>")] == 20
    assert Place("connbeat/agent/observe", "run") not in samples


def test_what_is_not_connbeats_is_kept_apart() -> None:
    assert by_module(parse_stacks(RAW))["elsewhere"] == 5


def test_no_sample_is_lost_in_a_sum() -> None:
    samples = parse_stacks(RAW)
    for summed in (by_room, by_module, by_function):
        assert summed(samples).total() == 65
    assert by_room(samples)["connbeat/connections"] == 30
    assert by_function(samples)["connbeat/connections/tracker: _fold"] == 10


def test_a_line_without_a_count_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        parse_stacks("run (connbeat/agent/observe.py:230)")
