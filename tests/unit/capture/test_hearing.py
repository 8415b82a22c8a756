"""Which namespaces are heard, by which socket, and from which a message is."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from connbeat.capture import hearing as module
from connbeat.capture.hearing import Hearing
from connbeat.capture.ladder import SWITCHED_OFF
from connbeat.errors import CaptureError, NetnsGone, NotPermitted
from connbeat.linux import netns
from connbeat.linux.procfs import ProcFs
from connbeat.linux.recvmmsg import OWN_NSID, Inbox, Message
from connbeat.model.targets import Target
from connbeat.telemetry.metrics import Metric, Metrics

HOST, ONE, TWO, THREE = 1, 11, 12, 13


def target(where: int, *pids: int, path: str = "") -> Target:
    return Target(where, pids or ((where * 10,) if not path else ()), path, is_host=where == HOST)


class FakeCloseSocket:
    """Gives what was put into it, at most once."""

    def __init__(self, inbox: Inbox, *, hears_all: bool) -> None:
        self.inbox = inbox
        self.hears_all = hears_all
        self.queued: list[Message | CaptureError] = []
        self.overruns = 0
        self.is_closed = False

    def put(self, nsid: int, *messages: bytes) -> None:
        self.queued += [(nsid, data) for data in messages]

    def drain(self, found: list[Message], limit: int) -> int:
        assert not self.is_closed
        while self.queued and len(found) < limit:
            next_ = self.queued.pop(0)
            if isinstance(next_, CaptureError):
                raise next_
            found.append(next_)
        overruns, self.overruns = self.overruns, 0
        return overruns

    def close(self) -> None:
        self.is_closed = True


class House:
    """A kernel: where each process and mount is, which namespace has an id, who may go in."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.metrics = Metrics()
        self.nsids: dict[int, int] = {}
        self.refusals: dict[int, CaptureError] = {}
        self.may_hear_all = True
        self.is_refused: CaptureError | None = None
        self.sockets: dict[int, FakeCloseSocket] = {}
        self.asked: list[int] = []
        self._here = HOST
        self._doors: dict[str, int] = {}
        self.hearing = Hearing(ProcFs(), self.metrics)
        monkeypatch.setattr(module, "CloseSocket", self._open)
        monkeypatch.setattr(module, "Inbox", object)  # nobody looks into it
        monkeypatch.setattr(module, "read_nsid", self._read_nsid)
        monkeypatch.setattr(module, "read_nsid_at", self._read_nsid_at)
        monkeypatch.setattr(netns, "own_netns", lambda: HOST)
        monkeypatch.setattr(netns, "entered", self._entered)

    @property
    def host(self) -> FakeCloseSocket:
        return self.sockets[HOST]

    def see(self, *targets: Target) -> None:
        self._doors = {f"/proc/{pid}/ns/net": t.netns for t in targets for pid in t.pids}
        self._doors |= {t.path: t.netns for t in targets if t.path}
        self.hearing.see({t.netns: t for t in targets})

    def heard(self) -> list[tuple[int, bytes, bool]]:
        found, is_lossy = self.hearing.hear()
        assert not is_lossy
        return found

    def _open(self, inbox: Inbox, *, all_namespaces: bool) -> FakeCloseSocket:
        assert all_namespaces == (self._here == HOST)
        if self.is_refused is not None:
            raise self.is_refused
        made = FakeCloseSocket(inbox, hears_all=all_namespaces and self.may_hear_all)
        self.sockets[self._here] = made
        return made

    def _read_nsid(self, pid: int) -> int | None:
        where = self._doors.get(f"/proc/{pid}/ns/net", 0)
        self.asked.append(where)
        return self.nsids.get(where)

    def _read_nsid_at(self, path: Path) -> int | None:
        self.asked.append(self._doors[str(path)])
        return self.nsids.get(self._doors[str(path)])

    @contextlib.contextmanager
    def _entered(self, path: Path, expected: int) -> Iterator[None]:
        where = self._doors.get(str(path), 0)
        if where != expected:
            raise NetnsGone(f"{path} leads elsewhere")
        if where in self.refusals:
            raise self.refusals[where]
        self._here = where
        yield
        self._here = HOST


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    made = House(monkeypatch)
    made.hearing.open()
    return made


def test_before_it_is_open_nothing_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(monkeypatch)
    house.see(target(ONE))
    assert house.hearing.missing == SWITCHED_OFF
    assert not house.hearing.is_open
    assert not house.hearing.covers(HOST)
    assert house.heard() == []
    assert house.sockets == {}


def test_the_own_namespace_is_heard_at_once(house: House) -> None:
    house.host.put(OWN_NSID, b"one", b"two")
    assert house.heard() == [(HOST, b"one", False), (HOST, b"two", False)]
    assert house.hearing.covers(HOST)
    assert house.hearing.missing == ""


def test_open_again_changes_nothing_while_it_is_open(house: House) -> None:
    before = house.host
    house.hearing.open()
    assert house.host is before


def test_a_namespace_with_an_id_is_heard_by_the_hosts_socket(house: House) -> None:
    house.nsids = {ONE: 0, TWO: 1}
    house.see(target(ONE), target(TWO))
    house.host.put(1, b"two")
    house.host.put(0, b"one")
    assert house.heard() == [(TWO, b"two", False), (ONE, b"one", False)]
    assert house.hearing.covers(ONE)
    assert house.sockets.keys() == {HOST}


def test_a_namespace_that_is_known_is_not_asked_for_again(house: House) -> None:
    house.nsids = {ONE: 0}
    for _ in range(3):
        house.see(target(ONE), target(TWO))
    assert house.asked == [ONE, TWO]


def test_into_a_namespace_without_an_id_one_goes(house: House) -> None:
    house.see(target(ONE))
    house.sockets[ONE].put(OWN_NSID, b"one")
    assert house.heard() == [(ONE, b"one", True)]
    assert house.hearing.covers(ONE)


def test_all_sockets_share_one_inbox(house: House) -> None:
    """A host may have a thousand namespaces."""
    house.see(target(ONE), target(TWO))
    assert house.sockets[ONE].inbox is house.sockets[TWO].inbox is house.host.inbox


def test_any_process_that_is_left_is_a_way_in_or_its_mount(house: House) -> None:
    house.hearing.see({ONE: target(ONE, 4711, 4712)})
    assert not house.hearing.covers(ONE)
    house.see(target(ONE, 110, path="/run/netns/one"))
    assert house.hearing.covers(ONE)
    house.nsids = {TWO: 5}
    house.see(target(ONE), target(TWO, path="/run/netns/two"))
    house.host.put(5, b"two")
    assert house.heard() == [(TWO, b"two", False)]


def test_a_namespace_that_may_not_be_entered_is_not_covered_and_tried_again(house: House) -> None:
    house.refusals = {ONE: NotPermitted("setns needs CAP_SYS_ADMIN")}
    house.see(target(ONE))
    assert not house.hearing.covers(ONE)
    house.refusals = {}
    house.see(target(ONE))
    assert house.hearing.covers(ONE)


def test_a_namespace_that_is_gone_is_let_go(house: House) -> None:
    house.nsids = {TWO: 1}
    house.see(target(ONE), target(TWO))
    house.see(target(HOST))
    assert house.sockets[ONE].is_closed, "an open socket would keep the namespace alive"
    assert not house.hearing.covers(ONE)
    assert not house.hearing.covers(TWO)


def test_an_id_that_is_given_again_is_the_new_namespaces(house: House) -> None:
    house.nsids = {ONE: 0}
    house.see(target(ONE))
    house.nsids = {TWO: 0}
    house.see(target(TWO))
    house.host.put(0, b"two")
    assert house.heard() == [(TWO, b"two", False)]


def test_a_message_with_an_id_that_nobody_knows_is_from_nowhere_and_the_ids_are_learnt_again(
    house: House,
) -> None:
    house.nsids = {ONE: 0}
    house.see(target(ONE))
    house.host.put(4, b"stranger")
    assert house.heard() == [(0, b"stranger", True)]
    house.nsids = {ONE: 4, TWO: 5}
    house.see(target(ONE), target(TWO))
    house.host.put(4, b"one")
    assert house.heard() == [(ONE, b"one", False)]


def test_one_that_got_an_id_after_we_went_in_is_heard_once(house: House) -> None:
    """A container that was seen before its link came: until then both sockets hear it."""
    house.see(target(ONE))
    house.nsids = {ONE: 3}
    house.host.put(3, b"same")
    house.sockets[ONE].put(OWN_NSID, b"same")
    assert house.heard() == [(ONE, b"same", True), (0, b"same", True)]
    house.see(target(ONE))
    assert house.sockets[ONE].is_closed
    house.host.put(3, b"next")
    assert house.heard() == [(ONE, b"next", False)]


def test_one_we_are_inside_of_stays_while_strangers_are_looked_for(house: House) -> None:
    house.see(target(ONE))
    inside = house.sockets[ONE]
    house.host.put(9, b"stranger")
    house.heard()
    house.see(target(ONE), target(TWO))
    assert not inside.is_closed
    assert house.sockets[ONE] is inside


def test_a_flood_is_taken_in_several_turns_but_by_the_last_at_once(house: House) -> None:
    house.see()
    flood = [b"message"] * 21_000
    house.host.put(OWN_NSID, *flood)
    assert (len(house.heard()), len(house.heard())) == (20_000, 1000)
    house.host.put(OWN_NSID, *flood)
    assert len(house.hearing.hear(is_last=True)[0]) == 21_000


# Losses


def test_an_overrun_is_counted_and_told(house: House) -> None:
    house.see(target(ONE))
    house.host.overruns, house.sockets[ONE].overruns = 2, 1
    assert house.hearing.hear() == ([], True)
    assert house.metrics.get(Metric.CLOSES_OVERRUN) == 3
    assert house.heard() == []


def test_one_that_fails_inside_costs_that_namespace_until_it_is_seen_again(house: House) -> None:
    house.see(target(ONE), target(TWO))
    house.sockets[ONE].queued = [(OWN_NSID, b"one"), CaptureError("failed")]
    house.sockets[TWO].put(OWN_NSID, b"two")
    assert house.hearing.hear() == ([(TWO, b"two", True)], True)
    assert not house.hearing.covers(ONE)
    assert house.hearing.covers(TWO)
    house.see(target(ONE), target(TWO))
    assert house.hearing.covers(ONE)


def test_the_hosts_failing_ends_all_until_it_is_opened_again(house: House) -> None:
    house.nsids = {TWO: 1}
    house.see(target(ONE), target(TWO))
    host, inside = house.host, house.sockets[ONE]
    inside.put(OWN_NSID, b"one")
    host.queued = [CaptureError("destroy groups failed")]
    assert house.hearing.hear() == ([(ONE, b"one", True)], True)
    assert (host.is_closed, inside.is_closed) == (True, True)
    assert house.hearing.missing == "destroy groups failed"
    assert house.metrics.get(Metric.SOURCES_LOST, source="closes") == 1
    assert not house.hearing.covers(HOST)
    house.hearing.open()
    house.see(target(ONE), target(TWO))
    assert all(house.hearing.covers(where) for where in (HOST, ONE, TWO))


def test_a_refusal_is_kept_as_the_reason_and_another_try_may_succeed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House(monkeypatch)
    house.is_refused = CaptureError("no netlink socket")
    house.hearing.open()
    assert house.hearing.missing == "no netlink socket"
    assert not house.hearing.is_open
    house.is_refused = None
    house.hearing.open()
    assert house.hearing.missing == ""


def test_without_the_right_to_hear_others_one_goes_in_and_ids_are_not_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House(monkeypatch)
    house.may_hear_all = False
    house.nsids = {ONE: 0}
    house.hearing.open()
    assert "CAP_NET_BROADCAST" in house.hearing.missing
    house.see(target(ONE))
    assert house.asked == []
    assert house.sockets.keys() == {HOST, ONE}
    assert house.hearing.covers(HOST)
    assert house.hearing.covers(ONE)


def test_close_lets_all_go_and_may_come_twice(house: House) -> None:
    house.see(target(ONE))
    house.hearing.close()
    house.hearing.close()
    assert all(made.is_closed for made in house.sockets.values())
    assert not house.hearing.is_open
