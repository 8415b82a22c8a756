"""What only shows below the tracker; its story is told in test_tracker.py."""

import msgspec

from connbeat.connections.namespace import NamespaceLives
from connbeat.model.sockets import Counters, Socket, SocketSnapshot, SocketSource, TcpState
from connbeat.model.traces import Close
from tests.builders import SECOND, listening, row, snapshot

WEB = listening("0.0.0.0:80", cookie=1, inode=1)
CALL = row("10.0.0.1:5000", "10.0.0.2:80", cookie=2, inode=2)


def test_a_closed_listener_explains_others_until_it_is_removed() -> None:
    lives = NamespaceLives(1, was_here=False)
    lives.fold(snapshot(WEB), 10)
    folded = lives.fold(snapshot(), 10)
    assert len(lives.listeners) == 1
    for life in folded.closed:
        lives.remove(life)
    assert len(lives.listeners) == len(lives.lives) == 0


def test_removing_an_old_life_leaves_the_one_that_took_its_key() -> None:
    lives = NamespaceLives(1, was_here=False)
    (old,) = lives.fold(snapshot(CALL), 10).new
    again = row("10.0.0.1:5001", "10.0.0.2:80", cookie=2, inode=2)
    folded = lives.fold(snapshot(again), 10)
    assert folded.closed == [old]
    lives.remove(old)
    assert list(lives.lives.values()) == folded.new


def test_a_life_is_closed_once() -> None:
    lives = NamespaceLives(1, was_here=False)
    lives.fold(snapshot(CALL), 10)
    assert len(lives.end(5)) == 1
    assert lives.end(6) == []
    assert lives.fold(snapshot(), 10).closed == []


def test_a_closed_life_is_not_carried_over_to_another_rung() -> None:
    lives = NamespaceLives(1, was_here=False)
    lives.fold(snapshot(CALL), 10)
    (old,) = lives.fold(snapshot(), 10).closed
    listed = row("10.0.0.1:5000", "10.0.0.2:80", inode=2)
    folded = lives.fold(snapshot(listed, source=SocketSource.PROC_NET_TCP), 10)
    assert len(folded.new) == 1
    assert folded.new != [old]


def test_accepted_are_those_that_only_now_have_an_inode() -> None:
    lives = NamespaceLives(1, was_here=False)
    waiting = row("10.0.0.2:80", "10.0.0.1:5000", cookie=3, state=TcpState.SYN_RECV)
    assert lives.fold(snapshot(waiting), 10).accepted == []
    accepted = row("10.0.0.2:80", "10.0.0.1:5000", cookie=3, inode=3)
    assert [life.inode for life in lives.fold(snapshot(accepted), 10).accepted] == [3]
    assert lives.fold(snapshot(accepted), 10).accepted == []


def test_new_lives_know_whether_the_listeners_were_known_before_them() -> None:
    lives = NamespaceLives(1, was_here=False)
    lives.fold(snapshot(is_complete=False), 10)
    (early,) = lives.fold(snapshot(CALL), 10).new
    later = row("10.0.0.1:5001", "10.0.0.2:80", cookie=9, inode=9)
    (late,) = lives.fold(snapshot(CALL, later), 10).new
    assert (early.is_table_older, late.is_table_older) == (False, True)


def test_what_the_kernel_keeps_of_a_connection_whose_close_was_told_is_not_a_new_one() -> None:
    """It waits for the other side's FIN, in FIN_WAIT2 and under the same cookie."""
    kept = row("10.0.0.1:5000", "10.0.0.2:80", cookie=2, state=TcpState.FIN_WAIT2)
    heard = msgspec.structs.replace(snapshot(kept), closes_heard=True)
    lives = NamespaceLives(1, was_here=False)
    assert lives.fold(heard, 10).new == []
    # Where closes are not heard, it may never have been told at all.
    assert len(lives.fold(snapshot(kept), 10).new) == 1


def test_an_orphan_that_still_has_its_counters_is_a_connection() -> None:
    orphan = row(
        "10.0.0.1:5000", "10.0.0.2:80", cookie=2, state=TcpState.FIN_WAIT2,
        counters=Counters(1, 1, 0, 1, None),
    )  # fmt: skip
    lives = NamespaceLives(1, was_here=False)
    heard = msgspec.structs.replace(snapshot(orphan), closes_heard=True)
    assert len(lives.fold(heard, 10).new) == 1


def test_a_handshake_is_left_to_the_transitions_unless_it_is_known_already() -> None:
    connect = row("10.0.0.1:5000", "10.0.0.2:80", cookie=2, inode=2, state=TcpState.SYN_SENT)
    lives = NamespaceLives(1, was_here=False)
    seen = msgspec.structs.replace(heard(connect, second=2), transitions_seen=True)
    assert lives.fold(seen, 10).new == []
    (life,) = lives.fold(snapshot(connect), 10).new  # before the transitions were seen
    sent_again = msgspec.structs.replace(connect, wqueue=1)
    for second in (4, 8):
        table = msgspec.structs.replace(heard(sent_again, second=second), transitions_seen=True)
        assert lives.fold(table, 10).closed == []
    assert life.socket is sent_again


def heard(*rows: Socket, second: int = 0) -> SocketSnapshot:
    return msgspec.structs.replace(snapshot(*rows, taken_ns=second * SECOND), closes_heard=True)


def test_a_row_that_is_still_there_after_it_was_missing_is_not_missing() -> None:
    lives = NamespaceLives(1, was_here=False)
    lives.fold(snapshot(CALL), 10)
    for second in (0, 10):
        assert lives.fold(heard(second=second), 10).closed == []
        assert lives.is_in_doubt
        lives.fold(snapshot(CALL, is_complete=False), 10)
        assert not lives.is_in_doubt


def test_what_is_missing_is_in_doubt_and_gone_when_its_message_cannot_come_any_more() -> None:
    """A socket that its process keeps after a reset has no message."""
    lives = NamespaceLives(1, was_here=False)
    (life,) = lives.fold(snapshot(CALL), 10).new
    for second in (2, 4):
        assert lives.fold(heard(second=second), 10).closed == []
        assert lives.is_in_doubt, "its message may be on its way"
    assert lives.fold(heard(second=5), 10).closed == [life]
    assert not lives.is_in_doubt


def test_what_is_missing_is_not_in_doubt_once_its_close_was_told() -> None:
    lives = NamespaceLives(1, was_here=False)
    (life,) = lives.fold(snapshot(CALL), 10).new
    lives.fold(heard(second=2), 10)
    close = Close(1, CALL, 2 * SECOND, None)
    life.finish(close)
    assert not lives.is_in_doubt
    assert lives.fold(heard(second=9), 10).closed == []
