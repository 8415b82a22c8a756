import msgspec

from connbeat.connections.life import Life, begin, key_of
from connbeat.connections.listeners import ListenerTable
from connbeat.connections.published import PublishedPorts
from connbeat.connections.relays import Relays
from connbeat.connections.reports import ReportMaker
from connbeat.model.addresses import parse_ip
from connbeat.model.connections import (
    Address,
    ConnectionReport,
    Direction,
    DirectionSource,
    EventKind,
    ListenerReport,
    RemoteParty,
)
from connbeat.model.containers import Container, PublishedPort
from connbeat.model.processes import Attribution, ContainerRef, UnknownReason
from connbeat.model.sockets import Socket, TcpState
from connbeat.model.traces import Trace
from connbeat.telemetry.metrics import Metrics
from tests.builders import FakeContainers, address, counters, listening, owned, process, row

WEB_ID = "c" * 64
WEB_CONTAINER = Container(WEB_ID, name="web", image="nginx", runtime="docker")
INSIDE = address("172.17.0.2:80")
PORT = PublishedPort(parse_ip("192.168.2.243"), 8080, INSIDE[0], INSIDE[1], WEB_ID)

CALL = row("10.0.0.1:5000", "10.0.0.2:80", cookie=7, inode=70, counters=counters(), interface=3)
WEB = listening("0.0.0.0:80", cookie=8, inode=80, backlog_max=511)


class Desk:
    """A maker of reports, and the listeners of the one namespace there is."""

    def __init__(self) -> None:
        containers = FakeContainers([WEB_CONTAINER], {"192.168.2.243:8080": PORT})
        published = PublishedPorts(containers)
        published.set_host(1, frozenset({parse_ip("192.168.2.243")}))
        self.listeners = ListenerTable()
        self.maker = ReportMaker(
            "h", containers, published, lambda _: self.listeners, relays=Relays(Metrics())
        )

    def listen(self, pid: int) -> None:
        web = life(WEB)
        web.attribution = owned(pid)
        self.listeners.add(web)

    def connection(self, life: Life, kind: EventKind = EventKind.ONGOING) -> ConnectionReport:
        self.maker.begin(9)
        report = self.maker.report(life, kind)
        assert isinstance(report, ConnectionReport)
        return report


def life(socket: Socket = CALL) -> Life:
    return begin(1, key_of(socket), socket, 1)


def test_a_connection_s_report_has_all_that_is_known_of_it() -> None:
    one = life()
    one.attribution = owned(70, WEB_ID)
    one.opened_ns, one.closed_ns = 3, 8
    one.direction, one.direction_source = Direction.OUTBOUND, DirectionSource.PAIR
    report = Desk().connection(one, EventKind.CLOSED)
    assert msgspec.structs.asdict(report) == {
        "id": "h-1-7",
        "event_id": "h-1-7-closed-9",
        "kind": EventKind.CLOSED,
        "netns": 1,
        "interface": 3,
        "local_ip": b"\x0a\0\0\1",
        "local_port": 5000,
        "remote_ip": b"\x0a\0\0\2",
        "remote_port": 80,
        "inode": 70,
        "state": "closed",
        "direction": Direction.OUTBOUND,
        "direction_source": DirectionSource.PAIR,
        "opened_ns": 3,
        "closed_ns": 8,
        "reported_ns": 9,
        "counters": counters(),
        "local": report.local,
        "remote": None,
        "nat": None,
        "failure": "",
        "is_only": True,
        "summarised": None,
    }
    assert report.local.owner == process(70, container=WEB_ID)
    assert report.local.container is WEB_CONTAINER


def test_a_listener_s_report_has_its_backlog() -> None:
    web = life(WEB)
    web.attribution = owned(80)
    desk = Desk()
    desk.maker.begin(9)
    report = desk.maker.report(web, EventKind.OPENED)
    assert isinstance(report, ListenerReport)
    assert (report.ip, report.port, report.backlog, report.backlog_max) == (b"\0" * 4, 80, 0, 511)
    assert (report.id, report.event_id) == ("h-1-8", "h-1-8-opened-9")
    assert report.local.owner == process(80)


def test_the_id_is_the_one_of_the_first_report() -> None:
    desk, one = Desk(), life(msgspec.structs.replace(CALL, cookie=0))
    desk.maker.begin(1)
    first = desk.maker.report(one, EventKind.OPENED)
    desk.maker.begin(2)
    second = desk.maker.report(one, EventKind.ONGOING)
    assert first.id == second.id
    assert first.event_id != second.event_id


def test_the_state_is_the_last_one_seen_and_closed_at_the_end() -> None:
    one = life()
    one.state = TcpState.CLOSE_WAIT
    assert Desk().connection(one).state == "close_wait"
    one.closed_ns = 5
    assert Desk().connection(one).state == "closed"


def test_a_failure_of_a_connect_that_nobody_saw_begin_has_no_time_and_an_id_of_its_own() -> None:
    desk = Desk()
    desk.maker.begin(9)
    traces = [Trace(7, Direction.OUTBOUND, 0), Trace(7, Direction.OUTBOUND, 0)]
    traces[0].failed_ns, traces[1].failed_ns = 5, 6
    first, second = (desk.maker.failed(trace) for trace in traces)
    assert (first.opened_ns, first.closed_ns) == (None, 5)
    assert first.local.owner is UnknownReason.EXITED
    assert first.id != second.id


def test_an_accepted_connection_nobody_is_known_to_hold_is_its_listener_s() -> None:
    desk = Desk()
    desk.listen(80)
    accepted = life(row("10.0.0.2:80", "10.0.0.1:5000", cookie=9))
    accepted.attribution = Attribution(UnknownReason.NO_INODE, None)
    assert desk.connection(accepted).local.owner is UnknownReason.NO_INODE
    accepted.direction = Direction.INBOUND
    assert desk.connection(accepted).local.owner == process(80)
    accepted.attribution = owned(90)
    assert desk.connection(accepted).local.owner == process(90)


def test_a_container_nobody_described_has_its_id_and_runtime() -> None:
    one = life()
    one.attribution = Attribution(UnknownReason.NOT_PERMITTED, ContainerRef("d" * 64, "cri-o"))
    container = Desk().connection(one).local.container
    assert container == Container("d" * 64, runtime="cri-o")


def test_a_container_that_was_described_without_its_runtime_has_that_of_its_cgroup() -> None:
    described = Container("d" * 64, name="nginx")
    maker = ReportMaker(
        "h",
        FakeContainers([described]),
        PublishedPorts(FakeContainers()),
        lambda _: ListenerTable(),
        relays=Relays(Metrics()),
    )
    one = life()
    one.attribution = Attribution(UnknownReason.NOT_PERMITTED, ContainerRef("d" * 64, "cri-o"))
    maker.begin(9)
    container = maker.report(one, EventKind.ONGOING).local.container
    assert container == Container("d" * 64, name="nginx", runtime="cri-o")


def test_the_other_end_is_the_peer_s_or_what_was_known_of_it() -> None:
    desk, here, there = Desk(), life(), life(row("10.0.0.2:80", "10.0.0.1:5000", cookie=9))
    assert desk.connection(here).remote is None
    there.attribution = owned(90, WEB_ID)
    here.peer = there
    known = RemoteParty(process(90, container=WEB_ID), WEB_CONTAINER)
    assert desk.connection(here).remote == known
    here.peer, here.remote = None, known
    assert desk.connection(here).remote == known


def published_call() -> Life:
    call = life(row("192.168.2.243:5000", "192.168.2.243:8080", cookie=9))
    call.nat = Address(*INSIDE)
    return call


def test_behind_a_published_port_is_its_container_though_nothing_of_it_was_seen() -> None:
    report = Desk().connection(published_call())
    assert report.nat == Address(*INSIDE)
    assert report.remote == RemoteParty(None, WEB_CONTAINER)


def test_the_proxy_answers_in_the_container_s_name() -> None:
    call, proxy = published_call(), life(row("192.168.2.243:8080", "192.168.2.243:5000", cookie=5))
    proxy.attribution = owned(55)
    call.peer = proxy
    assert Desk().connection(call).remote == RemoteParty(process(55), WEB_CONTAINER)


def test_a_port_that_is_no_longer_published_names_nobody() -> None:
    call = life(row("192.168.2.243:5000", "192.168.2.243:9999", cookie=9))
    call.nat = Address(*INSIDE)
    assert Desk().connection(call).remote is None
