"""What the kernel is asked to record, and how its records look."""

import re
import shutil
from pathlib import Path

import pytest

from connbeat.capture.formats import (
    DESTROY,
    ERROR,
    EXEC,
    EXIT,
    FORK,
    ICMP,
    STATE,
    STATE_FILTER,
    read_formats,
)
from connbeat.errors import CaptureError
from connbeat.linux.tracefs import Tracefs
from connbeat.model.sockets import TcpState
from tests.traces import FORMAT_TEXTS, FORMATS, RECORDINGS, Recording


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tracefs whose files may be taken away."""
    shutil.copytree(Recording(RECORDINGS[0]).folder / "events", tmp_path / "events")
    return tmp_path


def test_the_formats_of_all_events_are_read(tree: Path) -> None:
    formats = read_formats(Tracefs(tree))
    ids = [
        event.id
        for event in (formats.state, formats.destroy, formats.fork, formats.exec, formats.exit)
    ]
    assert len(set(ids)) == 5
    assert formats.error is not None


def test_a_kernel_that_reports_no_errors_is_good_enough(tree: Path) -> None:
    shutil.rmtree(tree / "events" / ERROR)
    assert read_formats(Tracefs(tree)).error is None


def test_where_it_tells_of_icmp_messages_that_is_read_too(tree: Path) -> None:
    assert read_formats(Tracefs(tree)).icmp is None
    (tree / "events" / ICMP).mkdir(parents=True)
    (tree / "events" / ICMP / "format").write_text(FORMAT_TEXTS["icmp"])
    assert read_formats(Tracefs(tree)).icmp == FORMATS["icmp"]


@pytest.mark.parametrize("event", [STATE, DESTROY, FORK, EXEC, EXIT])
def test_a_kernel_without_one_of_the_others_is_not(tree: Path, event: str) -> None:
    shutil.rmtree(tree / "events" / event)
    with pytest.raises(CaptureError, match=event):
        read_formats(Tracefs(tree))


def test_the_filter_lets_the_steps_through_that_are_read_and_no_ordinary_end() -> None:
    def is_recorded(old: TcpState, new: TcpState, flags: int = 0x10) -> bool:
        condition = STATE_FILTER.replace("||", "or").replace("&&", "and").replace("!(", "not (")
        assert re.fullmatch(r"[\w\s=()&]+", condition)
        fields = {"protocol": 6, "oldstate": old, "newstate": new, "common_flags": flags}
        return bool(eval(condition, fields))

    state = TcpState
    for old, new in [
        (state.CLOSE, state.SYN_SENT),
        (state.SYN_SENT, state.ESTABLISHED),
        (state.SYN_SENT, state.CLOSE),
        (state.SYN_SENT, state.SYN_RECV),
        (state.SYN_RECV, state.ESTABLISHED),
        (state.ESTABLISHED, state.FIN_WAIT1),
        (state.CLOSE_WAIT, state.LAST_ACK),
        (state.ESTABLISHED, state.CLOSE),
        (state.CLOSE_WAIT, state.CLOSE),
        (state.CLOSE, state.LISTEN),
        (state.FIN_WAIT1, state.CLOSING),
        (state.FIN_WAIT2, state.FIN_WAIT2),
        (state.FIN_WAIT1, state.CLOSE),
    ]:
        assert is_recorded(old, new), f"{old.name} -> {new.name}"
    assert is_recorded(state.FIN_WAIT2, state.CLOSE, flags=0)
    for old, new in [
        (state.LISTEN, state.SYN_RECV),
        (state.ESTABLISHED, state.CLOSE_WAIT),
        (state.FIN_WAIT1, state.FIN_WAIT2),
        (state.FIN_WAIT2, state.CLOSE),
        (state.LAST_ACK, state.CLOSE),
        (state.CLOSING, state.CLOSE),
        (state.LISTEN, state.CLOSE),
    ]:
        assert not is_recorded(old, new), f"{old.name} -> {new.name}"
