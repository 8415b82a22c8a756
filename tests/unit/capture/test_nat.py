"""Rung 4: what an entry says to each end, and a source that comes and goes."""

from pathlib import Path
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.capture import nat as module
from connbeat.capture.ladder import SWITCHED_OFF, Rung, Standing
from connbeat.capture.nat import NatSource, NatWatch, real_remote
from connbeat.errors import CaptureError, Malformed, NotPermitted
from connbeat.linux.conntrack import Entry
from connbeat.linux.procfs import ProcFs
from connbeat.model.connections import Address, FourTuple
from connbeat.model.targets import Target
from connbeat.telemetry.metrics import Metric, Metrics
from tests.builders import HOST_NETNS, SECOND, address

HOST = Target(HOST_NETNS, (1,), "", is_host=True)


def ends(local: str, remote: str) -> FourTuple:
    return (*address(local), *address(remote))


CALLER, SERVICE, DISGUISE, BACKEND = (
    "172.17.0.3:40001", "10.96.0.10:80", "172.17.0.1:50001", "172.17.0.2:8080",
)  # fmt: skip
#: A caller of a service address, disguised before the one who answers.
ENTRY = Entry(ends(CALLER, SERVICE), ends(BACKEND, DISGUISE))
DIRECT = Entry(ends(CALLER, BACKEND), ends(BACKEND, CALLER))


class FakeConntrack:
    """What the kernel knows; an error instead of an answer is raised."""

    def __init__(self) -> None:
        self.entries: dict[FourTuple, Entry | CaptureError] = {}
        self.total: int | CaptureError = 7
        self.refusal: CaptureError | None = None
        self.asked: list[FourTuple] = []
        self.is_closed = True

    def __call__(self) -> Self:
        assert self.is_closed, "opened twice"
        self.is_closed = False
        return self

    def know(self, entry: Entry) -> None:
        self.entries[entry.original] = self.entries[entry.reply] = entry

    def get(self, asked: FourTuple) -> Entry | None:
        assert not self.is_closed
        if self.refusal is not None:
            raise self.refusal
        if asked[1]:  # otherwise it is nobody's: the source looks whether it works
            self.asked.append(asked)
        answer = self.entries.get(asked)
        if isinstance(answer, CaptureError):
            raise answer
        return answer

    def count(self) -> int:
        if isinstance(self.total, CaptureError):
            raise self.total
        return self.total

    def close(self) -> None:
        self.is_closed = True


class House:
    """A source, the kernel it asks, and its `/proc`."""

    def __init__(self, root: Path, highest: Rung = Rung.NAT) -> None:
        self.kernel = FakeConntrack()
        self.metrics = Metrics()
        self.loaded = root / "sys/net/netfilter/nf_conntrack_max"
        self.loaded.parent.mkdir(parents=True)
        self.loaded.touch()
        self.source = NatSource(ProcFs(root), highest, self.metrics)

    def open(self, second: int = 0) -> None:
        self.source.open(HOST, second * SECOND)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    made = House(tmp_path)
    monkeypatch.setattr(module, "ConntrackSocket", made.kernel)
    monkeypatch.setattr("connbeat.linux.netns.own_netns", lambda: HOST_NETNS)
    made.open()
    return made


def test_the_caller_learns_who_answers_and_the_other_who_called() -> None:
    assert real_remote(ENTRY, ends(CALLER, SERVICE)) == Address(*address(BACKEND))
    assert real_remote(ENTRY, ends(BACKEND, DISGUISE)) == Address(*address(CALLER))


def test_who_sees_the_real_address_learns_nothing() -> None:
    assert real_remote(DIRECT, ends(CALLER, BACKEND)) is None
    assert real_remote(DIRECT, ends(BACKEND, CALLER)) is None
    published = Entry(ends(CALLER, SERVICE), ends(BACKEND, CALLER))
    assert real_remote(published, ends(BACKEND, CALLER)) is None


def test_an_entry_of_others_says_nothing() -> None:
    assert real_remote(ENTRY, ends(CALLER, BACKEND)) is None


_ADDRESS = st.tuples(st.binary(min_size=4, max_size=4), st.integers(1, 65535))


@given(_ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS)
def test_each_end_is_told_the_other_s_own_address(
    caller: tuple[bytes, int],
    called: tuple[bytes, int],
    seen_caller: tuple[bytes, int],
    answering: tuple[bytes, int],
) -> None:
    entry = Entry((*caller, *called), (*answering, *seen_caller))
    told = real_remote(entry, (*caller, *called))
    assert (told or Address(*called)) == Address(*answering)
    if entry.original != entry.reply:
        told = real_remote(entry, (*answering, *seen_caller))
        assert (told or Address(*seen_caller)) == Address(*caller)


def test_answers_stand_in_the_order_of_the_questions_and_are_counted(house: House) -> None:
    house.kernel.know(ENTRY)
    house.kernel.know(DIRECT)
    asked = [ends(CALLER, BACKEND), ends(CALLER, SERVICE), ends(CALLER, "1.1.1.1:443")]
    assert house.source.real_remotes(asked) == [None, Address(*address(BACKEND)), None]
    assert house.kernel.asked == asked
    assert house.metrics.get(Metric.NAT_LOOKUPS) == 3
    assert house.metrics.get(Metric.NAT_TRANSLATED) == 1
    assert house.metrics.get(Metric.NAT_LOOKUPS_FAILED) == 0


def test_where_nothing_is_tracked_no_connection_is_asked_for(house: House) -> None:
    house.kernel.total = 0
    assert house.source.real_remotes([ends(CALLER, SERVICE)]) == [None]
    assert house.kernel.asked == []
    assert house.metrics.get(Metric.NAT_LOOKUPS) == 0


def test_without_a_question_the_kernel_is_left_alone(house: House) -> None:
    house.kernel.total = CaptureError("it was asked")
    assert house.source.real_remotes([]) == []
    assert house.source.missing == ""


def test_an_entry_that_cannot_be_read_costs_itself_only(house: House) -> None:
    house.kernel.know(ENTRY)
    house.kernel.entries[ends(CALLER, BACKEND)] = Malformed("bytes")
    asked = [ends(CALLER, BACKEND), ends(CALLER, SERVICE)]
    assert house.source.real_remotes(asked) == [None, Address(*address(BACKEND))]
    assert house.metrics.get(Metric.NAT_LOOKUPS_FAILED) == 1
    assert house.source.missing == ""


def test_a_source_that_fails_is_closed_and_opened_again_later(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.kernel.know(ENTRY)
    house.kernel.total = NotPermitted("translations need CAP_NET_ADMIN")
    assert house.source.real_remotes([ends(CALLER, SERVICE)]) == [None]
    assert house.kernel.is_closed
    assert house.source.missing == "translations need CAP_NET_ADMIN"
    assert house.metrics.get(Metric.SOURCES_LOST, source="nat") == 1
    assert house.metrics.get(Metric.NAT_LOOKUPS_FAILED) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]

    house.kernel.total = 1
    house.open(29)
    assert house.source.real_remotes([ends(CALLER, SERVICE)]) == [None]
    house.open(30)
    assert house.source.missing == ""
    assert house.source.real_remotes([ends(CALLER, SERVICE)]) == [Address(*address(BACKEND))]


def test_what_is_refused_at_the_start_is_told_and_tried_again(house: House) -> None:
    house.source.close()
    house.kernel.refusal = NotPermitted("translations need CAP_NET_ADMIN")
    house.open(30)
    assert house.source.missing == "translations need CAP_NET_ADMIN"
    assert house.kernel.is_closed
    house.kernel.refusal = None
    house.open(60)
    assert (house.source.missing, house.kernel.is_closed) == ("", False)


def test_a_kernel_that_tracks_nothing_is_not_made_to_and_lacks_nothing(house: House) -> None:
    house.source.close()
    house.loaded.unlink()
    house.open(30)
    assert (house.source.missing, house.kernel.is_closed) == ("", True)
    house.loaded.touch()
    house.open(60)
    assert not house.kernel.is_closed


def test_a_lower_rung_is_kept_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    low = House(tmp_path, Rung.TRANSITIONS)
    monkeypatch.setattr(module, "ConntrackSocket", low.kernel)
    low.open()
    assert low.kernel.is_closed
    assert low.source.missing == SWITCHED_OFF
    assert low.source.real_remotes([ends(CALLER, SERVICE)]) == [None]


def test_where_the_host_is_not_seen_nothing_is_opened(house: House) -> None:
    house.source.close()
    house.source.open(None, 30 * SECOND)
    assert "not seen" in house.source.missing
    house.source.open(Target(2, (), "", is_host=True), 60 * SECOND)
    assert "no process" in house.source.missing


def test_when_another_namespace_is_the_host_s_the_socket_moves(house: House) -> None:
    house.kernel.know(ENTRY)
    other = Target(2, (), "", is_host=True)
    house.source.open(other, SECOND)
    assert house.kernel.is_closed


class Below:
    """The rungs below, at any height."""

    has_transitions = True

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    def covers(self, netns: int) -> bool:
        return netns == HOST_NETNS

    def standing(self, netns: int) -> Standing:
        del netns
        return self._standing


@pytest.mark.parametrize("below", [Standing(Rung.DUMP, "why"), Standing(Rung.CLOSES, "why")])
def test_a_lower_rung_stands_where_it_stands(house: House, below: Standing) -> None:
    assert NatWatch(Below(below), house.source).standing(HOST_NETNS) == below


def test_on_top_of_all_others_it_is_this_rung_or_what_it_lacks(house: House) -> None:
    watch = NatWatch(Below(Standing(Rung.TRANSITIONS, "")), house.source)
    assert watch.standing(HOST_NETNS) == Standing(Rung.NAT, "")
    house.kernel.total = CaptureError("gone")
    house.source.real_remotes([ends(CALLER, SERVICE)])
    assert watch.standing(HOST_NETNS) == Standing(Rung.TRANSITIONS, "gone")


def test_all_else_is_the_rungs_below(house: House) -> None:
    watch = NatWatch(Below(Standing(Rung.TRANSITIONS, "")), house.source)
    assert watch.has_transitions
    assert (watch.covers(HOST_NETNS), watch.covers(2)) == (True, False)
