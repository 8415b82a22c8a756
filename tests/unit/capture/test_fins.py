"""Whether the other side's FIN came: every way in which a socket ends after its own."""

import pytest

from connbeat.capture import fins
from connbeat.model.connections import Direction
from connbeat.model.sockets import TcpState
from connbeat.model.traces import Trace

MS = 1_000_000
#: (from, to) as the kernel tells them, 1 ms apart.
Steps = list[tuple[str, str]]

SHUT: Steps = [("ESTABLISHED", "FIN_WAIT1")]


def after(steps: Steps) -> Trace:
    trace = Trace(1, Direction.OUTBOUND, 0)
    for number, (old, new) in enumerate(steps, 1):
        fins.step(trace, TcpState[old], TcpState[new], number * MS)
    return trace


@pytest.mark.parametrize(
    ("steps", "has_fin"),
    [
        ([("CLOSE_WAIT", "LAST_ACK")], True),
        ([("CLOSE_WAIT", "CLOSE")], True),
        ([("ESTABLISHED", "CLOSE")], False),
        ([*SHUT, ("FIN_WAIT1", "CLOSING")], True),
        ([*SHUT, ("FIN_WAIT1", "CLOSE")], False),
        (SHUT, None),
        ([*SHUT, ("FIN_WAIT1", "FIN_WAIT1")], None),
        ([*SHUT, ("FIN_WAIT2", "FIN_WAIT2")], None),
    ],
)
def test_the_last_step_tells_or_leaves_it_to_what_is_unread(
    steps: Steps, has_fin: bool | None
) -> None:
    assert after(steps).has_peer_closed is has_fin


def test_a_socket_that_is_kept_after_its_own_fin_got_the_other() -> None:
    trace = after(SHUT)
    fins.end(trace, 9 * MS, failed_ns=0)
    assert trace.has_peer_closed is True
    assert not trace.may_be_abandoned


def test_none_comes_after_an_error_and_an_error_of_an_earlier_connection_is_none() -> None:
    for failed_ns, has_fin in ((2 * MS, False), (MS - 1, True)):
        trace = after(SHUT)
        fins.end(trace, 9 * MS, failed_ns)
        assert trace.has_peer_closed is has_fin


@pytest.mark.parametrize("again", [("FIN_WAIT1", "FIN_WAIT1"), ("FIN_WAIT2", "FIN_WAIT2")])
def test_one_that_is_let_go_of_before_an_answer_waits_for_none(again: tuple[str, str]) -> None:
    trace = after([*SHUT, again, ("FIN_WAIT2", "CLOSE")])
    assert trace.finished_ns == 0, "its end does not matter"
    assert not trace.may_be_abandoned


def test_an_end_in_the_same_moment_as_the_step_to_it_is_a_close_that_was_answered_at_once() -> None:
    trace = after([*SHUT, ("FIN_WAIT2", "CLOSE")])
    fins.end(trace, 2 * MS + 700, failed_ns=0)
    assert trace.has_peer_closed is None
    assert not trace.may_be_abandoned


def test_a_step_to_the_end_that_a_process_takes_is_a_fin_or_gives_up_what_is_unread() -> None:
    trace = after([*SHUT, ("FIN_WAIT2", "CLOSE")])
    fins.end(trace, 2 * MS + 5000, failed_ns=0)
    assert trace.has_peer_closed is True
    assert trace.may_be_abandoned
