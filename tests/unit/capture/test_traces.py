"""The kernel's records folded to traces, told as stories.

The records have other offsets than any kernel's (tests/traces.py), so that a field that is read
from where it always was is read wrongly.
"""

import errno
import socket
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.capture import traces as module
from connbeat.capture.failures import CANCELLED
from connbeat.capture.formats import TraceFormats
from connbeat.capture.traces import TraceFolder
from connbeat.linux.ring_buffer import LOST, RawEvent
from connbeat.linux.tracefs import EventFormat
from connbeat.model.connections import Direction
from connbeat.model.processes import Process
from connbeat.model.sockets import TcpState
from connbeat.model.traces import Trace
from tests.builders import address, process
from tests.traces import FORMATS, record

MS = 1_000_000
SOFTIRQ, HARDIRQ, BH_OFF = 0x10, 0x08, 0x80
CLIENT, SERVER = "10.0.0.1:40000", "10.0.0.2:80"


class FakeSink:
    """Knows every thread as a process of its own, and remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []
        self.asked: list[tuple[int, int]] = []
        #: How much it had been told when it was asked.
        self.told_before_asking: list[int] = []

    def forked(self, parent: int, child: int, *, is_thread: bool) -> None:
        self.told.append(("forked", parent, child, is_thread))

    def executed(self, pid: int, file_name: str, time_ns: int) -> None:
        self.told.append(("executed", pid, file_name, time_ns))

    def read_at_exec(self, pid: int, time_ns: int, files: Mapping[str, bytes | int]) -> None:
        self.told.append(("read", pid, time_ns, files))

    def exited(self, pid: int, time_ns: int) -> None:
        self.told.append(("exited", pid, time_ns))

    def lost(self) -> None:
        self.told.append(("lost",))

    def process_of(self, thread: int, time_ns: int) -> Process | None:
        self.asked.append((thread, time_ns))
        self.told_before_asking.append(len(self.told))
        return process(thread)


class House:
    """A folder, and the kernel that writes its records, 1 ms apart."""

    def __init__(self, formats: TraceFormats | None = None) -> None:
        self.sink = FakeSink()
        self.folder = TraceFolder(formats or TraceFormats(**FORMATS), self.sink)
        self.now_ns = 1000 * MS

    def write(self, event: EventFormat, tail: bytes = b"", /, **values: int | bytes) -> None:
        self.fold((event.id, record(event, values, tail)))

    def fold(self, *records: tuple[int, bytes]) -> None:
        events: list[RawEvent] = []
        for kind, made in records:
            self.now_ns += MS
            events.append((self.now_ns, kind, b"page" + made, 4))
        self.folder.fold(events)

    def step(
        self,
        old: str,
        new: str,
        local: str = CLIENT,
        remote: str = SERVER,
        *,
        skaddr: int = 1,
        thread: int = 500,
        flags: int = 0,
        family: int = 0,
    ) -> None:
        (local_ip, local_port), (remote_ip, remote_port) = address(local), address(remote)
        family = family or (socket.AF_INET if len(remote_ip) == 4 else socket.AF_INET6)
        values: dict[str, int | bytes] = {}
        for name, ip in (("saddr", local_ip), ("daddr", remote_ip)):
            if family == socket.AF_INET:
                values[name] = ip
            else:
                values[f"{name}_v6"] = bytes(10) + b"\xff\xff" + ip if len(ip) == 4 else ip
        self.write(
            FORMATS["state"],
            common_flags=flags,
            common_pid=thread,
            skaddr=skaddr,
            oldstate=TcpState[old],
            newstate=TcpState[new],
            sport=local_port,
            dport=remote_port,
            family=family,
            protocol=6,
            **values,
        )

    def connect(self, *, skaddr: int = 1, thread: int = 500, local: str = CLIENT) -> None:
        ip = local.rpartition(":")[0]
        self.step("CLOSE", "SYN_SENT", f"{ip}:0", skaddr=skaddr, thread=thread)
        self.step("SYN_SENT", "ESTABLISHED", local, skaddr=skaddr, thread=0, flags=SOFTIRQ)

    def accept(self, *, skaddr: int = 2, remote: str = CLIENT) -> None:
        self.step(
            "SYN_RECV", "ESTABLISHED", SERVER, remote, skaddr=skaddr, thread=99, flags=SOFTIRQ
        )

    def destroy(
        self, cookie: int, *, skaddr: int = 1, thread: int = 0, flags: int = SOFTIRQ
    ) -> Trace:
        self.write(
            FORMATS["destroy"],
            common_flags=flags,
            common_pid=thread,
            skaddr=skaddr,
            sock_cookie=cookie,
        )
        return self.folder.by_cookie[cookie]

    def explain(self, error: int, local: str = CLIENT, remote: str = SERVER) -> None:
        _, local_port = address(local)
        remote_ip, remote_port = address(remote)
        self.write(
            FORMATS["error"],
            common_pid=99,
            error=error,
            sport=local_port,
            dport=remote_port,
            family=socket.AF_INET,
            daddr=remote_ip,
        )

    def take(self) -> tuple[list[Trace], list[Trace]]:
        return self.folder.take(self.now_ns)


@pytest.fixture
def house() -> House:
    return House()


def ends(trace: Trace) -> tuple[tuple[bytes, int], tuple[bytes, int]]:
    return (trace.local_ip, trace.local_port), (trace.remote_ip, trace.remote_port)


# A connect


def test_a_connect_has_its_caller_its_times_and_both_ends(house: House) -> None:
    house.connect(thread=501)
    opened_ns = house.now_ns - MS
    ((trace,), failed) = house.take()
    assert failed == []
    assert trace.direction is Direction.OUTBOUND
    assert trace.process is not None
    assert trace.process.pid == 501
    assert house.sink.asked == [(501, opened_ns)]
    assert (trace.opened_ns, trace.cookie, trace.is_established) == (opened_ns, 0, True)
    assert ends(trace) == (address(CLIENT), address(SERVER))
    assert trace.family == socket.AF_INET


def test_its_end_has_the_cookie_and_the_time_of_the_kernel(house: House) -> None:
    house.connect()
    house.step("ESTABLISHED", "FIN_WAIT1", skaddr=1)
    trace = house.destroy(4711)
    assert (trace.cookie, trace.closed_ns) == (4711, house.now_ns)
    assert ends(trace) == (address(CLIENT), address(SERVER))
    assert len(house.folder) == 0
    assert house.take() == ([], []), "it is not open any more"
    assert house.folder.established == [trace]


@pytest.mark.parametrize(
    ("old", "new"),
    [("FIN_WAIT2", "CLOSE"), ("FIN_WAIT2", "FIN_WAIT2"), ("FIN_WAIT1", "CLOSING")],
)
def test_what_comes_after_the_servers_own_fin_names_nobody_else(
    house: House, old: str, new: str
) -> None:
    """A thread of the kernel may take it in, and is no more in an interrupt than a process."""
    house.accept()
    house.step("ESTABLISHED", "FIN_WAIT1", SERVER, CLIENT, skaddr=2, thread=500)
    house.step(old, new, SERVER, CLIENT, skaddr=2, thread=66, flags=BH_OFF)
    house.destroy(5, skaddr=2)
    assert house.folder.by_cookie[5].process == process(500)


def test_who_closes_a_connection_that_was_called_does_not_matter(house: House) -> None:
    house.connect(thread=501)
    house.step("ESTABLISHED", "FIN_WAIT1", skaddr=1, thread=777)
    trace = house.destroy(5)
    assert trace.process is not None
    assert trace.process.pid == 501


@pytest.mark.parametrize("flags", [SOFTIRQ, HARDIRQ, SOFTIRQ | BH_OFF])
def test_who_runs_in_an_interrupt_called_nobody(house: House, flags: int) -> None:
    house.step("CLOSE", "SYN_SENT", skaddr=1, flags=flags)
    assert house.sink.asked == []


def test_an_ipv6_connection_has_its_addresses(house: House) -> None:
    local, remote = "[2001:db8::1]:40000", "[2001:db8::2]:443"
    house.step("CLOSE", "SYN_SENT", "[2001:db8::1]:0", remote)
    house.step("SYN_SENT", "ESTABLISHED", local, remote)
    ((trace,), _) = house.take()
    assert ends(trace) == (address(local), address(remote))
    assert trace.family == socket.AF_INET6


def test_a_mapped_address_is_ipv4_and_its_socket_stays_of_ipv6(house: House) -> None:
    house.step("SYN_RECV", "ESTABLISHED", SERVER, CLIENT, family=socket.AF_INET6, flags=SOFTIRQ)
    ((trace,), _) = house.take()
    assert ends(trace) == (address(SERVER), address(CLIENT))
    assert trace.family == socket.AF_INET6


def test_a_connect_that_began_before_us_is_outbound_all_the_same(house: House) -> None:
    house.step("SYN_SENT", "ESTABLISHED", flags=SOFTIRQ)
    ((trace,), _) = house.take()
    assert (trace.direction, trace.process) == (Direction.OUTBOUND, None)


def test_a_simultaneous_open_is_a_connect_and_no_failure(house: House) -> None:
    house.step("CLOSE", "SYN_SENT", CLIENT, thread=501)
    house.step("SYN_SENT", "SYN_RECV", CLIENT)
    house.step("SYN_RECV", "ESTABLISHED", CLIENT)
    ((trace,), failed) = house.take()
    assert failed == []
    assert trace.direction is Direction.OUTBOUND
    assert trace.process is not None
    assert trace.process.pid == 501


def test_a_socket_that_connects_again_is_another_connection(house: House) -> None:
    house.connect(thread=501)
    house.step("CLOSE", "SYN_SENT", "10.0.0.1:0", "10.0.0.3:81", skaddr=1, thread=502)
    house.step("SYN_SENT", "ESTABLISHED", "10.0.0.1:40001", "10.0.0.3:81", skaddr=1)
    trace = house.destroy(5)
    assert trace.process is not None
    assert trace.process.pid == 502
    assert ends(trace) == (address("10.0.0.1:40001"), address("10.0.0.3:81"))


# An accept


def test_an_accepted_connection_is_inbound_and_nobody_is_trusted_at_its_opening(
    house: House,
) -> None:
    house.accept()
    ((trace,), _) = house.take()
    assert trace.direction is Direction.INBOUND
    assert trace.opened_ns == house.now_ns
    assert trace.process is None
    assert house.sink.asked == []
    assert ends(trace) == (address(SERVER), address(CLIENT))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ESTABLISHED", "FIN_WAIT1"),
        ("CLOSE_WAIT", "LAST_ACK"),
        ("ESTABLISHED", "CLOSE"),
        ("CLOSE_WAIT", "CLOSE"),
    ],
)
def test_the_worker_that_closes_it_served_it(house: House, old: str, new: str) -> None:
    workers = {11: 801, 12: 802, 13: 803}
    for skaddr in workers:
        house.accept(skaddr=skaddr, remote=f"10.0.0.1:{40000 + skaddr}")
    for skaddr, worker in workers.items():
        house.step(old, new, SERVER, CLIENT, skaddr=skaddr, thread=worker)
    for skaddr, worker in workers.items():
        trace = house.destroy(skaddr, skaddr=skaddr)
        assert trace.process is not None
        assert trace.process.pid == worker


def test_an_end_in_an_interrupt_names_nobody(house: House) -> None:
    house.accept()
    house.step("ESTABLISHED", "CLOSE", SERVER, CLIENT, skaddr=2, flags=SOFTIRQ)
    assert house.destroy(5, skaddr=2).process is None
    assert house.sink.asked == []


def test_a_connection_that_the_other_side_reset_is_the_workers_that_then_closes_it(
    house: House,
) -> None:
    house.accept()
    house.step("ESTABLISHED", "CLOSE", SERVER, CLIENT, skaddr=2, flags=SOFTIRQ)
    trace = house.destroy(5, skaddr=2, thread=801, flags=BH_OFF)
    assert trace.process is not None
    assert trace.process.pid == 801


@pytest.mark.parametrize(
    ("old", "new", "has_fin"),
    [
        ("CLOSE_WAIT", "LAST_ACK", True),
        ("CLOSE_WAIT", "CLOSE", True),
        ("ESTABLISHED", "CLOSE", False),
        ("ESTABLISHED", "FIN_WAIT1", None),
    ],
)
def test_whether_the_other_sides_fin_came_is_known_but_for_one_that_is_to_come(
    house: House, old: str, new: str, has_fin: bool | None
) -> None:
    house.connect()
    house.step(old, new, skaddr=1)
    assert house.destroy(5).has_peer_closed is has_fin


def test_a_half_closed_connection_got_the_other_end_if_its_process_destroys_it(
    house: House,
) -> None:
    for flags, has_fin in ((SOFTIRQ, None), (BH_OFF, True)):
        house.connect()
        house.step("ESTABLISHED", "FIN_WAIT1")
        assert house.destroy(5, flags=flags).has_peer_closed is has_fin


def test_it_got_none_if_it_failed_since_however_long_it_is_kept_and_many_fail(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_ERRORS", 2)
    for others, has_fin in ((1, False), (2, True)):
        house.connect()
        house.step("ESTABLISHED", "FIN_WAIT1")
        house.explain(errno.ECONNRESET)
        for number in range(others):
            house.explain(errno.ECONNREFUSED, f"10.0.0.1:{number + 1}")
        assert house.destroy(5, flags=BH_OFF).has_peer_closed is has_fin, "those are forgotten"


# A listener


def test_a_listener_has_who_listens(house: House) -> None:
    house.step("CLOSE", "LISTEN", "0.0.0.0:80", "0.0.0.0:0", thread=300)
    ((trace,), _) = house.take()
    assert trace.is_listener
    assert trace.direction is Direction.UNKNOWN
    assert trace.process is not None
    assert trace.process.pid == 300
    assert ends(trace)[0] == address("0.0.0.0:80")


def test_a_listener_that_closed_at_once_is_known_at_its_end(house: House) -> None:
    house.step("CLOSE", "LISTEN", "0.0.0.0:80", "0.0.0.0:0", skaddr=1)
    assert house.destroy(5).is_listener
    assert house.take() == ([], [])


# Connects that fail


def test_a_refused_connect_is_told_with_its_reason(house: House) -> None:
    house.step("CLOSE", "SYN_SENT", "10.0.0.1:0", thread=501)
    house.step("SYN_SENT", "CLOSE", flags=SOFTIRQ)
    failed_ns = house.now_ns
    house.explain(errno.ECONNREFUSED)
    opened, (trace,) = house.take()
    assert opened == []
    assert (trace.errno, trace.failed_ns) == (errno.ECONNREFUSED, failed_ns)
    assert ends(trace) == (address(CLIENT), address(SERVER))
    assert trace.process is not None
    assert trace.process.pid == 501


def test_a_refusal_on_loopback_is_no_cancellation(house: House) -> None:
    """It is handled when connect() lets the socket go: in the context of its process."""
    house.step("CLOSE", "SYN_SENT", "10.0.0.1:0")
    house.step("SYN_SENT", "CLOSE")
    house.explain(errno.ECONNREFUSED)
    _, (trace,) = house.take()
    assert trace.errno == errno.ECONNREFUSED


def test_a_connect_that_our_firewall_rejected_while_it_ran_says_why(house: House) -> None:
    house.step("CLOSE", "SYN_SENT", "10.0.0.1:0")
    (local, _), (remote, _) = address(CLIENT), address(SERVER)
    made = record(FORMATS["icmp"], {"type": 3, "code": 1, "saddr": local, "daddr": remote})
    house.folder.fold([(house.now_ns + 50_000, FORMATS["icmp"].id, made, 0)])
    house.step("SYN_SENT", "CLOSE")
    house.now_ns += 100 * MS
    (_, (trace,)) = house.take()
    assert trace.errno == errno.EHOSTUNREACH


def test_a_connect_that_its_process_gave_up_was_cancelled(house: House) -> None:
    house.step("CLOSE", "SYN_SENT", "10.0.0.1:0")
    house.step("SYN_SENT", "CLOSE")
    assert house.take()[1] == [], "its reason may still come"
    house.destroy(5)
    house.now_ns += 20 * MS
    _, (trace,) = house.take()
    assert trace.errno == CANCELLED
    assert house.folder.by_cookie[5] is trace
    assert trace.failed_ns, "so its close is not told again"


def test_a_failed_connect_may_be_tried_again_on_the_same_socket(house: House) -> None:
    house.step("CLOSE", "SYN_SENT", "10.0.0.1:0")
    house.step("SYN_SENT", "CLOSE", flags=SOFTIRQ)
    house.explain(errno.ETIMEDOUT)
    house.connect(local="10.0.0.1:40001")
    (opened,), (failed,) = house.take()
    assert (failed.errno, failed.local_port) == (errno.ETIMEDOUT, 40000)
    assert (opened.failed_ns, opened.local_port) == (0, 40001)


@pytest.mark.parametrize("flags", [0, SOFTIRQ])
def test_a_failure_of_a_connect_that_nobody_saw_begin_has_neither_process_nor_time(
    house: House, flags: int
) -> None:
    house.step("SYN_SENT", "CLOSE", flags=flags)
    house.explain(errno.ECONNREFUSED)
    house.destroy(5)
    opened, (trace,) = house.take()
    assert opened == []
    assert (trace.direction, trace.errno) == (Direction.OUTBOUND, errno.ECONNREFUSED)
    assert (trace.opened_ns, trace.process) == (0, None)
    assert (trace.local_ip, trace.local_port) == address(CLIENT)
    assert house.folder.by_cookie[5] is trace, "so its close is not told again"


def test_a_kernel_without_that_event_has_failures_without_a_reason() -> None:
    house = House(TraceFormats(**{name: FORMATS[name] for name in FORMATS if name != "error"}))
    house.step("CLOSE", "SYN_SENT", "10.0.0.1:0")
    house.step("SYN_SENT", "CLOSE")
    house.explain(errno.ECONNREFUSED)
    house.now_ns += 20 * MS
    _, (trace,) = house.take()
    assert trace.errno == 0


# Sockets' addresses are used again


def test_an_address_that_is_used_again_is_another_socket(house: House) -> None:
    house.connect(skaddr=7, thread=501)
    first = house.destroy(1, skaddr=7)
    house.accept(skaddr=7)
    second = house.destroy(2, skaddr=7)
    assert (first.direction, second.direction) == (Direction.OUTBOUND, Direction.INBOUND)
    assert second.process is None


def test_an_accept_at_the_address_of_a_connection_whose_end_was_not_seen_is_a_new_one(
    house: House,
) -> None:
    house.connect(skaddr=7)
    house.accept(skaddr=7)
    trace = house.destroy(2, skaddr=7)
    assert trace.direction is Direction.INBOUND
    assert ends(trace) == (address(SERVER), address(CLIENT))


def test_after_a_loss_nothing_is_joined_to_what_was_before_it(house: House) -> None:
    """The end of one and the beginning of the next may be what was lost."""
    house.connect(skaddr=7, thread=501)
    (before,), _ = house.take()
    house.fold((LOST, b""))
    trace = house.destroy(2, skaddr=7)
    assert trace is not before
    assert (trace.direction, trace.process, trace.opened_ns) == (Direction.UNKNOWN, None, 0)
    assert trace.closed_ns == house.now_ns


def test_a_loss_is_told_in_its_place_for_it_may_be_an_exec_or_an_end(house: House) -> None:
    house.write(FORMATS["exit"], pid=7)
    house.fold((LOST, b""))
    house.write(FORMATS["exit"], pid=8)
    assert [told[0] for told in house.sink.told] == ["exited", "lost", "exited"]


def test_after_a_loss_a_connect_that_goes_on_is_outbound_by_nobody(house: House) -> None:
    house.step("CLOSE", "SYN_SENT", "10.0.0.1:0", thread=501)
    house.fold((LOST, b""))
    house.step("SYN_SENT", "ESTABLISHED", flags=SOFTIRQ)
    ((trace,), _) = house.take()
    assert (trace.direction, trace.process) == (Direction.OUTBOUND, None)


def test_after_a_loss_nobody_can_tell_whether_a_connect_was_given_up(house: House) -> None:
    """What said why may be what was lost."""
    house.step("CLOSE", "SYN_SENT", "10.0.0.1:0")
    house.step("SYN_SENT", "CLOSE")
    house.fold((LOST, b""))
    house.now_ns += 20 * MS
    _, (trace,) = house.take()
    assert trace.errno == 0


def test_what_ended_before_a_loss_is_known(house: House) -> None:
    house.connect(thread=501)
    trace = house.destroy(2)
    house.fold((LOST, b""))
    assert house.folder.by_cookie == {2: trace}


# Bounds


def test_a_socket_that_was_there_before_us_has_its_end(house: House) -> None:
    trace = house.destroy(5)
    assert (trace.direction, trace.opened_ns) == (Direction.UNKNOWN, 0)
    assert trace.closed_ns == house.now_ns


def test_beyond_the_bound_sockets_are_told_and_counted_and_not_followed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_TRACES", 2)
    for skaddr in (1, 2, 3):
        house.accept(skaddr=skaddr)
    assert len(house.take()[0]) == 3
    assert (len(house.folder), house.folder.refused) == (2, 1)
    house.connect(skaddr=2)
    assert house.folder.refused == 1, "one that was followed already makes room for itself"
    house.destroy(9, skaddr=1)
    house.accept(skaddr=3)
    assert (len(house.folder), house.folder.refused) == (2, 1)


def test_a_record_that_is_too_short_is_counted_and_the_rest_is_read(house: House) -> None:
    good = record(FORMATS["destroy"], {"skaddr": 1, "sock_cookie": 5})
    house.fold(
        (FORMATS["destroy"].id, good[:10]),
        (FORMATS["exit"].id, b""),
        (FORMATS["destroy"].id, good),
    )
    assert house.folder.malformed == 2
    assert house.folder.by_cookie.keys() == {5}


def test_an_event_that_nobody_asked_for_is_passed_over(house: House) -> None:
    house.fold((4711, b"whatever"))
    assert house.folder.malformed == 0


@given(
    st.lists(st.tuples(st.sampled_from([71, 72, 73, 74, 75, 76, LOST]), st.binary(max_size=120)))
)
def test_any_records_are_folded_or_counted(records: list[tuple[int, bytes]]) -> None:
    house = House()
    house.fold(*records)
    house.take()
    assert 0 <= house.folder.malformed <= len(records)


def state_record(step: tuple[TcpState, TcpState], skaddr: int, flags: int, ip6: bytes) -> bytes:
    old, new = step
    return record(
        FORMATS["state"],
        {
            "common_flags": flags, "common_pid": 500 + skaddr, "skaddr": skaddr,
            "oldstate": old, "newstate": new, "sport": 40000 if new != TcpState.SYN_SENT else 0,
            "dport": 80, "family": socket.AF_INET6 if ip6 else socket.AF_INET,
            "saddr": bytes(4), "daddr": bytes(4), "saddr_v6": ip6, "daddr_v6": ip6,
        },
    )  # fmt: skip


_states = st.sampled_from(TcpState)
_skaddrs = st.integers(1, 3)
_flags = st.sampled_from([0, SOFTIRQ])
_any_record = st.one_of(
    st.tuples(
        st.just(FORMATS["state"].id),
        st.builds(
            state_record,
            st.tuples(_states, _states),
            _skaddrs,
            _flags,
            st.sampled_from([b"", bytes(10) + b"\xff\xff" + bytes(4), b"\x20" * 16]),
        ),
    ),
    st.tuples(
        st.just(FORMATS["destroy"].id),
        st.builds(
            lambda skaddr, flags, cookie: record(
                FORMATS["destroy"],
                {"common_flags": flags, "common_pid": 9, "skaddr": skaddr, "sock_cookie": cookie},
            ),
            _skaddrs,
            _flags,
            st.integers(1, 100),
        ),
    ),
    st.tuples(st.sampled_from([LOST, 71, 73, 76]), st.binary(max_size=30)),
)


def known(house: House) -> object:
    """All that the folder and its sink know."""
    established = [msgspec.structs.astuple(trace) for trace in house.folder.established]
    waiting = {
        cookie: msgspec.structs.astuple(trace) for cookie, trace in house.folder.by_cookie.items()
    }
    folder = house.folder
    return (
        established, waiting, len(folder), folder.malformed, folder.refused,
        house.sink.told, house.sink.asked,
    )  # fmt: skip


@given(st.lists(_any_record, max_size=40))
def test_records_in_one_turn_are_folded_as_one_by_one(records: list[tuple[int, bytes]]) -> None:
    """One that cannot be read in the midst of them, too."""
    whole, pieces = House(), House()
    whole.fold(*records)
    for one in records:
        pieces.fold(one)
    for house in (whole, pieces):
        _, failed = house.take()
        assert all(trace.failed_ns for trace in failed)
    assert known(whole) == known(pieces)


def test_a_loss_or_a_bad_record_among_others_costs_no_other(house: House) -> None:
    good = [record(FORMATS["destroy"], {"skaddr": 1, "sock_cookie": cookie}) for cookie in (1, 2)]
    kind = FORMATS["destroy"].id
    house.fold((kind, good[0]), (FORMATS["state"].id, b"short"), (LOST, b""), (kind, good[1]))
    assert house.folder.malformed == 1
    assert list(house.folder.by_cookie) == [1, 2]
    assert house.sink.told == [("lost",)]


# Processes


def test_starts_and_ends_of_processes_are_passed_on_in_their_order(house: House) -> None:
    house.write(FORMATS["fork"], common_pid=100, pid=101, clone_flags=17)
    house.write(FORMATS["fork"], common_pid=101, pid=102, clone_flags=0x3D0F00)
    house.write(FORMATS["exec"], b"/bin/wg\xc3\xa4t\0", filename=9 << 16 | 32, pid=101)
    house.connect(thread=102)
    house.write(FORMATS["exit"], comm=b"wget", pid=101)
    start = 1000 * MS
    assert house.sink.told == [
        ("forked", 100, 101, False),
        ("forked", 101, 102, True),
        ("executed", 101, "/bin/wgä", start + 3 * MS),
        ("exited", 101, house.now_ns),
    ]
    assert house.sink.asked == [(102, start + 4 * MS)]


@pytest.mark.parametrize(
    ("location", "name"),
    [(7 << 16 | 32, "/bin/sh"), (8 << 16 | 32, "/bin/sh"), (0, ""), (9 << 16 | 60000, "")],
)
def test_a_file_name_is_where_its_record_says_and_nowhere_else(
    house: House, location: int, name: str
) -> None:
    house.write(FORMATS["exec"], b"/bin/sh\0", filename=location, pid=101)
    assert house.sink.told == [("executed", 101, name, house.now_ns)]


def test_a_file_name_that_is_no_utf_8_is_told_as_far_as_it_can_be(house: House) -> None:
    house.write(FORMATS["exec"], b"/bin/\xff\xfe\0", filename=8 << 16 | 32, pid=101)
    assert house.sink.told == [("executed", 101, "/bin/\ufffd\ufffd", house.now_ns)]
