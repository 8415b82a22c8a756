"""Rung 1 without a kernel (with one: tests/system/test_capture.py): a table that moves."""

import pytest

from connbeat.capture.dump import dump
from connbeat.errors import CaptureError
from connbeat.linux.sock_diag import ALL_STATES, WITHOUT_TIME_WAIT
from connbeat.model.sockets import SocketSource
from tests.strategies import make_socket
from tests.unit.capture.fakes import FakeDiag

ROW = make_socket()
OTHER = make_socket(cookie=8)


def test_a_quiet_table_is_dumped_once_and_is_complete() -> None:
    diag = FakeDiag(([ROW], 0, False))
    snapshot = dump(diag.as_diag(), 7, 42, closes_heard=False, transitions_seen=False)
    assert (snapshot.netns, snapshot.taken_ns) == (7, 42)
    assert snapshot.source is SocketSource.INET_DIAG
    assert snapshot.sockets == (ROW,)
    assert snapshot.is_complete
    assert diag.dumps == 1


def test_a_table_that_moved_is_dumped_again_and_the_last_answer_counts() -> None:
    diag = FakeDiag(([], 5, True), ([ROW, ROW], 0, True), ([ROW], 1, False))
    snapshot = dump(diag.as_diag(), 7, 0, closes_heard=False, transitions_seen=False)
    assert snapshot.sockets == (ROW,)
    assert snapshot.malformed == 1
    assert snapshot.is_complete
    assert diag.dumps == 3


def test_a_table_that_never_rests_is_taken_as_it_is_and_called_incomplete() -> None:
    diag = FakeDiag(([ROW], 0, True))
    snapshot = dump(diag.as_diag(), 7, 0, closes_heard=False, transitions_seen=False)
    assert snapshot.sockets == (ROW,)
    assert not snapshot.is_complete
    assert diag.dumps == 4


def test_a_failure_is_not_hidden() -> None:
    with pytest.raises(CaptureError):
        dump(
            FakeDiag(CaptureError("netlink dump failed")).as_diag(),
            7,
            0,
            closes_heard=True,
            transitions_seen=True,
        )


@pytest.mark.parametrize(
    ("closes_heard", "states"), [(False, ALL_STATES), (True, WITHOUT_TIME_WAIT)]
)
def test_where_closes_are_heard_the_rows_that_linger_after_them_are_left_out(
    closes_heard: bool, states: int
) -> None:
    diag = FakeDiag(([ROW], 0, False))
    snapshot = dump(diag.as_diag(), 7, 0, closes_heard=closes_heard, transitions_seen=False)
    assert diag.states == states
    assert (snapshot.closes_heard, snapshot.transitions_seen) == (closes_heard, False)


def test_where_a_missing_row_is_a_close_it_is_looked_for_once_more() -> None:
    for closes_heard, sockets in ((False, (ROW, OTHER)), (True, (ROW,))):
        diag = FakeDiag(([ROW], 0, False))
        diag.rows_overlooked = [OTHER]
        assert dump(diag.as_diag(), 7, 0, closes_heard=closes_heard).sockets == sockets


def test_after_a_dump_that_is_not_complete_nothing_counts_as_closed_anyway() -> None:
    diag = FakeDiag(([ROW], 0, True))
    diag.rows_overlooked = [OTHER]
    assert dump(diag.as_diag(), 7, 0).sockets == (ROW,)


def test_a_thousand_are_looked_for_at_most() -> None:
    diag = FakeDiag(([], 0, False))
    diag.rows_overlooked = [ROW] * 1001
    assert len(dump(diag.as_diag(), 7, 0).sockets) == 1000
