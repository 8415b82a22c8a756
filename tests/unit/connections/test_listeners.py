import pytest

from connbeat.connections.life import Life, begin, key_of
from connbeat.connections.listeners import ListenerTable
from connbeat.model.processes import Attribution, UnknownReason
from tests.builders import address, listening, owned, process


def life(local: str, inode: int = 1, pid: int = 0, *, is_v6_only: bool = False) -> Life:
    socket = listening(local, inode=inode, is_v6_only=is_v6_only)
    made = begin(1, key_of(socket), socket, 1)
    made.attribution = owned(pid) if pid else None
    return made


def table(*lives: Life) -> ListenerTable:
    made = ListenerTable()
    for one in lives:
        made.add(one)
    return made


@pytest.mark.parametrize(
    ("bound", "is_v6_only", "called", "accepts"),
    [
        ("0.0.0.0:80", False, "10.0.0.1:80", True),
        ("0.0.0.0:80", False, "127.0.0.1:80", True),
        ("0.0.0.0:80", False, "[2001:db8::1]:80", False),
        ("0.0.0.0:80", False, "10.0.0.1:81", False),
        ("[::]:80", False, "[2001:db8::1]:80", True),
        ("[::]:80", False, "10.0.0.1:80", True),
        ("[::]:80", True, "[2001:db8::1]:80", True),
        ("[::]:80", True, "10.0.0.1:80", False),
        ("10.0.0.1:80", False, "10.0.0.1:80", True),
        ("10.0.0.1:80", False, "10.0.0.2:80", False),
        ("[::1]:80", False, "[::1]:80", True),
        ("[::1]:80", False, "127.0.0.1:80", False),
    ],
)
def test_who_accepts_what(bound: str, is_v6_only: bool, called: str, accepts: bool) -> None:
    listener = life(bound, is_v6_only=is_v6_only)
    assert table(listener).match(*address(called)) == ([listener] if accepts else [])


def test_the_listener_of_the_very_address_wins_over_the_wildcard() -> None:
    anyone, here = life("0.0.0.0:80", 1), life("10.0.0.1:80", 2)
    both = table(anyone, here)
    assert both.match(*address("10.0.0.1:80")) == [here]
    assert both.match(*address("10.0.0.2:80")) == [anyone]


def test_listeners_that_share_an_address_all_match_and_own_it_only_if_they_are_one_process() -> (
    None
):
    at = address("10.0.0.1:80")
    workers = table(life("0.0.0.0:80", 1, pid=10), life("0.0.0.0:80", 2, pid=11))
    assert len(workers.match(*at)) == 2
    assert workers.owner(*at) is None
    threads = table(life("0.0.0.0:80", 1, pid=10), life("0.0.0.0:80", 2, pid=10))
    assert threads.owner(*at) == process(10)


def test_a_listener_nobody_is_known_to_hold_owns_nothing() -> None:
    unknown = life("0.0.0.0:80")
    assert table(unknown).owner(*address("10.0.0.1:80")) is None
    unknown.attribution = Attribution(UnknownReason.NOT_PERMITTED, None)
    assert table(unknown).owner(*address("10.0.0.1:80")) is None
    assert table().owner(*address("10.0.0.1:80")) is None


def test_what_is_removed_is_gone_and_nothing_else() -> None:
    first, second = life("0.0.0.0:80", 1), life("0.0.0.0:80", 2)
    both = table(first, second)
    both.remove(first)
    both.remove(first)
    assert both.match(*address("10.0.0.1:80")) == [second]
    both.remove(second)
    both.remove(life("0.0.0.0:81"))
    assert len(both) == 0
    assert both._by_port == {}
