"""The tracker's word on who is really at the other end: translations, docker-proxy, waiting."""

from collections.abc import Iterable, Sequence

import msgspec
import pytest

from connbeat.model.addresses import network_of, parse_ip
from connbeat.model.connections import (
    Address,
    ConnectionReport,
    Direction,
    EventKind,
    Report,
)
from connbeat.model.containers import Container, PublishedPort
from connbeat.model.processes import Process
from connbeat.model.sockets import Socket
from connbeat.model.traces import Close, Tick, Trace
from connbeat.telemetry.metrics import Metric
from tests.builders import (
    HOST_NETNS,
    SECOND,
    FakeContainers,
    address,
    owned,
    process,
    row,
    snapshot,
)
from tests.unit.connections.stories import Story

WEB_NETNS, CALLER_NETNS = 7, 8
WEB_ID, CALLER_ID = "w" * 64, "c" * 64
CONTAINERS = [Container(WEB_ID, name="web"), Container(CALLER_ID, name="caller")]
HOST_IP, GATEWAY, WEB, SERVICE = "192.168.2.243", "172.17.0.1", "172.17.0.2:80", "10.96.0.10:80"
PROXY = process(55, "/usr/bin/docker-proxy", "-container-ip", "172.17.0.2", "-container-port", "80")
CLIENT, SERVER = process(10), process(20)


def story() -> Story:
    made = Story(containers=FakeContainers(CONTAINERS))
    made.tracker.set_host(
        HOST_NETNS,
        frozenset(map(parse_ip, (HOST_IP, GATEWAY, "127.0.0.1"))),
        [network_of(parse_ip(GATEWAY), 16), network_of(parse_ip(HOST_IP), 24)],
    )
    made.poll(0)
    return made


def at(text: str) -> Address:
    return Address(*address(text))


def translate(story: Story, local: str, remote: str, real: str) -> None:
    story.translated[(*address(local), *address(remote))] = at(real)


def told(reports: Iterable[Report], local: str) -> ConnectionReport:
    """The newest report of the end that has this address."""
    *_, found = (
        it
        for it in reports
        if isinstance(it, ConnectionReport) and (it.local_ip, it.local_port) == address(local)
    )
    return found


def remote_of(report: ConnectionReport) -> tuple[int, str]:
    """The pid and the container's name at the other end, 0 and "" where there is none."""
    remote = report.remote
    if remote is None:
        return 0, ""
    return (
        remote.process.pid if remote.process is not None else 0,
        remote.container.name if remote.container is not None else "",
    )


# Translations


@pytest.mark.parametrize("disguise", ["172.17.0.3:5000", f"{GATEWAY}:6000"])
def test_both_ends_behind_a_service_address_name_each_other(disguise: str) -> None:
    one = story()
    call = row("172.17.0.3:5000", SERVICE, cookie=2, inode=2)
    answer = row(WEB, disguise, cookie=3, inode=3)
    one.owners = {2: owned(10, CALLER_ID), 3: owned(20, WEB_ID)}
    translate(one, "172.17.0.3:5000", SERVICE, WEB)
    if disguise != "172.17.0.3:5000":
        translate(one, WEB, disguise, "172.17.0.3:5000")
    one.poll(2, snapshot(call, netns=CALLER_NETNS), snapshot(answer, netns=WEB_NETNS))
    caller, web = told(one.reports, "172.17.0.3:5000"), told(one.reports, WEB)
    assert (caller.nat, remote_of(caller)) == (at(WEB), (20, "web"))
    assert remote_of(web) == (10, "caller")
    is_hidden = disguise != "172.17.0.3:5000"
    assert web.nat == (at("172.17.0.3:5000") if is_hidden else None)


def test_who_finds_its_other_end_is_never_asked_for() -> None:
    one = story()
    rows = [
        row("127.0.0.1:5000", "127.0.0.1:80", cookie=2, inode=2),
        row("127.0.0.1:80", "127.0.0.1:5000", cookie=3, inode=3),
        row(f"{HOST_IP}:5001", f"{HOST_IP}:80", cookie=4, inode=4),
        row(f"{HOST_IP}:80", f"{HOST_IP}:5001", cookie=5, inode=5),
        row(f"{GATEWAY}:5002", WEB, cookie=6, inode=6),
    ]
    answer = row(WEB, f"{GATEWAY}:5002", cookie=7, inode=7)
    one.poll(2, snapshot(*rows), snapshot(answer, netns=WEB_NETNS))
    assert one.lookups == []


def test_each_is_asked_for_once() -> None:
    one = story()
    call = row(f"{HOST_IP}:5000", SERVICE, cookie=2, inode=2)
    for second in (2, 4, 40):
        one.poll(second, call)
    one.poll(42)
    assert one.lookups == [(*address(f"{HOST_IP}:5000"), *address(SERVICE))]


def test_nothing_is_kept_of_ends_that_were_translated() -> None:
    one = story()
    translate(one, f"{HOST_IP}:5000", SERVICE, WEB)
    one.poll(2, row(f"{HOST_IP}:5000", SERVICE, cookie=2, inode=2))
    assert len(one.tracker._pairs) == 2
    one.poll(4)
    assert len(one.tracker) == len(one.tracker._pairs) == 0


def test_a_connect_that_failed_names_who_did_not_answer() -> None:
    one = story()
    translate(one, f"{HOST_IP}:5000", SERVICE, WEB)
    trace = Trace(1, Direction.OUTBOUND, SECOND)
    trace.local_ip, trace.local_port = address(f"{HOST_IP}:5000")
    trace.remote_ip, trace.remote_port = address(SERVICE)
    trace.failed_ns = 2 * SECOND
    one.tracker.fold_tick(Tick(failed=[trace]))
    assert told(one.tracker.report(3 * SECOND), f"{HOST_IP}:5000").nat == at(WEB)


# docker-proxy


class Relay:
    """A client that calls a container through docker-proxy: four ends, in the order of time."""

    def __init__(self, client: str = "127.0.0.1:5000", door: str = "127.0.0.1:8080") -> None:
        self.client, self.call = client, f"{GATEWAY}:6000"
        self.rows = {
            HOST_NETNS: [
                row(client, door, cookie=1, inode=1),
                row(door, client, cookie=2, inode=2),
                row(self.call, WEB, cookie=3, inode=3),
            ],
            WEB_NETNS: [row(WEB, self.call, cookie=4, inode=4)],
        }
        owners = [CLIENT, None, PROXY, None]
        directions = [Direction.OUTBOUND, Direction.INBOUND] * 2
        sockets = self.rows[HOST_NETNS] + self.rows[WEB_NETNS]
        self.traces = [
            trace_of(*parts, SECOND + number)
            for number, parts in enumerate(zip(sockets, directions, owners, strict=True))
        ]

    def closes(self) -> list[Close]:
        """In the order of the traces."""
        sockets = [
            *((HOST_NETNS, it) for it in self.rows[HOST_NETNS]),
            *((WEB_NETNS, it) for it in self.rows[WEB_NETNS]),
        ]
        owners = [CLIENT, PROXY, PROXY, msgspec.structs.replace(SERVER, netns=WEB_NETNS)]
        closes = []
        for trace, owner, (netns, socket) in zip(self.traces, owners, sockets, strict=True):
            trace.process = owner
            trace.cookie, trace.closed_ns = socket.cookie, 2 * SECOND
            closes.append(Close(netns, socket, trace.closed_ns, trace))
        return closes


def trace_of(socket: Socket, direction: Direction, owner: Process | None, now_ns: int) -> Trace:
    trace = Trace(socket.cookie, direction, now_ns)
    trace.local_ip, trace.local_port = socket.local_ip, socket.local_port
    trace.remote_ip, trace.remote_port = socket.remote_ip, socket.remote_port
    trace.process = owner
    return trace


def listen(one: Story) -> None:
    """docker-proxy starts, and is seen to."""
    listener = Trace(9, Direction.UNKNOWN, 1)
    listener.is_listener, listener.process = True, PROXY
    listener.local_ip, listener.local_port = address("0.0.0.0:8080")
    one.tracker.fold_tick(Tick(opened=[listener], established=[listener]))


def relayed_story(relay: Relay) -> Story:
    one = story()
    listen(one)
    one.owners = {1: owned(10), 2: owned(55), 3: owned(55), 4: owned(20, WEB_ID)}
    one.tracker.fold_tick(Tick(established=relay.traces))
    return one


def assert_named(reports: Sequence[Report], relay: Relay) -> None:
    client, web = told(reports, relay.client), told(reports, WEB)
    assert (client.nat, remote_of(client)[0]) == (at(WEB), 20)
    assert (web.nat, remote_of(web)[0]) == (at(relay.client), 10)


def test_through_docker_proxy_client_and_container_name_each_other() -> None:
    relay = Relay()
    one = relayed_story(relay)
    one.poll(2, *(snapshot(*rows, netns=netns) for netns, rows in relay.rows.items()))
    assert_named(one.reports, relay)
    accepted, called = told(one.reports, "127.0.0.1:8080"), told(one.reports, relay.call)
    assert (remote_of(accepted), accepted.nat) == ((10, ""), None)
    assert (remote_of(called), called.nat) == ((20, "web"), None)
    # It closes its two ends first; client and container are told of a poll later.
    one.poll(
        4,
        snapshot(relay.rows[HOST_NETNS][0]),
        snapshot(*relay.rows[WEB_NETNS], netns=WEB_NETNS),
    )
    one.poll(6, snapshot(), snapshot(netns=WEB_NETNS))
    assert_named(one.reports, relay)
    assert one.reports[-1].kind is EventKind.CLOSED


@pytest.mark.parametrize("turns", [((0, 1, 2, 3),), ((3, 2), (1, 0)), ((0, 1), (2, 3))])
def test_a_short_one_is_named_though_a_turn_falls_between_its_ends(
    turns: tuple[tuple[int, ...], ...],
) -> None:
    relay = Relay()
    one = relayed_story(relay)
    closes = relay.closes()
    reports: list[Report] = []
    for number, turn in enumerate([*turns, ()]):
        one.tracker.fold_tick(Tick(closes=[closes[end] for end in turn]))
        reports += one.tracker.report((3 + number) * SECOND)
    assert_named(reports, relay)
    assert len(reports) == 4
    assert len(one.tracker) == len(one.tracker._pairs) == 0


def test_a_client_from_elsewhere_is_named_by_its_address_and_not_as_docker_proxy() -> None:
    relay = Relay("203.0.113.5:5000", f"{GATEWAY}:8080")
    one = relayed_story(relay)
    del relay.rows[HOST_NETNS][0]
    one.poll(2, *(snapshot(*rows, netns=netns) for netns, rows in relay.rows.items()))
    web = told(one.reports, WEB)
    assert (web.nat, remote_of(web)) == (at("203.0.113.5:5000"), (0, ""))


def test_when_it_cannot_be_told_whose_call_it_is_the_container_names_docker_proxy() -> None:
    one, relay, other = story(), Relay(), Relay("127.0.0.1:5001")
    listen(one)
    one.owners = {1: owned(10), 2: owned(55), 3: owned(55), 4: owned(20, WEB_ID)}
    one.tracker.fold_tick(Tick(established=[other.traces[1], *relay.traces]))
    one.poll(2, *(snapshot(*rows, netns=netns) for netns, rows in relay.rows.items()))
    web, client = told(one.reports, WEB), told(one.reports, relay.client)
    assert (web.nat, remote_of(web)) == (None, (55, ""))
    assert (client.nat, remote_of(client)) == (at(WEB), (55, ""))
    assert one.metrics.get(Metric.RELAYED, outcome="ambiguous") == 1


def test_docker_proxy_s_command_line_names_the_address_where_docker_is_not_asked() -> None:
    one, relay = story(), Relay()
    listen(one)
    one.owners = {1: owned(10), 2: owned(55)}
    one.poll(2, *relay.rows[HOST_NETNS][:2])
    assert told(one.reports, relay.client).nat == at(WEB)


def test_one_whose_listener_was_given_its_process_by_a_transition_is_known_as_well() -> None:
    one, relay = story(), Relay()
    door = msgspec.structs.replace(row("0.0.0.0:8080", "0.0.0.0:0", cookie=9, inode=9), state=10)
    one.undecided = {9}
    one.owners = {1: owned(10), 2: owned(55)}
    one.poll(2, door)
    one.tracker.know(HOST_NETNS, 9, trace_of(door, Direction.UNKNOWN, PROXY, SECOND))
    one.poll(4, door)
    one.poll(6, door, *relay.rows[HOST_NETNS][:2])
    assert told(one.reports, relay.client).nat == at(WEB)


def test_of_one_that_no_longer_listens_nothing_is_said() -> None:
    one, relay = story(), Relay()
    door = msgspec.structs.replace(row("0.0.0.0:8080", "0.0.0.0:0", cookie=9, inode=9), state=10)
    one.owners = {9: msgspec.structs.replace(owned(55), owner=PROXY), 1: owned(10), 2: owned(55)}
    one.poll(2, door)
    one.poll(4)
    one.poll(6, *relay.rows[HOST_NETNS][:2])
    assert told(one.reports, relay.client).nat is None


def test_a_published_port_s_container_is_named_though_its_end_is_not_seen() -> None:
    port = PublishedPort(parse_ip("127.0.0.1"), 8080, *address(WEB), WEB_ID)
    relay = Relay()
    one = relayed_story(relay)
    one.tracker._published._containers = FakeContainers(CONTAINERS, {"127.0.0.1:8080": port})
    one.tracker._published.set_host(HOST_NETNS, frozenset({parse_ip("127.0.0.1")}))
    one.poll(2, *relay.rows[HOST_NETNS])
    client = told(one.reports, relay.client)
    assert (client.nat, remote_of(client)) == (at(WEB), (0, "web"))


# Waiting


def test_an_end_that_closed_waits_one_turn_for_its_other_end() -> None:
    one = story()
    call, answer = (
        row("10.0.0.1:5000", "10.0.0.2:80", cookie=2), row("10.0.0.2:80", "10.0.0.1:5000", cookie=3)
    )  # fmt: skip
    one.tracker.fold_tick(Tick(closes=[close_of(call, CLIENT)]))
    assert list(one.tracker.report(3 * SECOND)) == []
    one.tracker.fold_tick(Tick(closes=[close_of(answer, SERVER)]))
    reports = list(one.tracker.report(4 * SECOND))
    assert [remote_of(told(reports, it)) for it in ("10.0.0.1:5000", "10.0.0.2:80")] == [
        (20, ""),
        (10, ""),
    ]
    assert list(one.tracker.report(5 * SECOND)) == []


def test_at_the_last_turn_all_is_told() -> None:
    one = story()
    call = row("10.0.0.1:5000", "10.0.0.2:80", cookie=2)
    one.tracker.fold_tick(Tick(closes=[close_of(call, CLIENT)]))
    assert len(list(one.tracker.report(3 * SECOND, is_last=True))) == 1
    assert len(one.tracker) == 0


def test_a_namespace_that_nobody_dumped_stays_until_what_waits_in_it_is_told() -> None:
    one = story()
    ends = (
        row("10.0.0.1:5000", "10.0.0.2:80", cookie=2),
        row("10.0.0.2:80", "10.0.0.1:5000", cookie=3),
        row("10.0.0.1:5001", "203.0.113.1:80", cookie=4),
    )
    one.tracker.fold_tick(Tick(closes=[close_of(it, CLIENT, WEB_NETNS) for it in ends]))
    assert len(list(one.tracker.report(3 * SECOND))) == 2
    assert len(list(one.tracker.report(4 * SECOND))) == 1
    assert WEB_NETNS not in one.tracker._namespaces


def test_what_waits_in_a_namespace_that_ends_is_told_with_its_end() -> None:
    one = story()
    call = row("10.0.0.1:5000", "203.0.113.1:80", cookie=2)
    one.tracker.fold_tick(Tick(closes=[close_of(call, CLIENT, WEB_NETNS)]))
    assert list(one.tracker.report(3 * SECOND)) == []
    one.tracker.forget(WEB_NETNS, 4 * SECOND)
    assert len(list(one.tracker.report(4 * SECOND))) == 1


def close_of(socket: Socket, owner: Process, netns: int = HOST_NETNS) -> Close:
    trace = trace_of(socket, Direction.UNKNOWN, owner, SECOND)
    trace.cookie, trace.closed_ns = socket.cookie, 2 * SECOND
    return Close(netns, socket, trace.closed_ns, trace)
