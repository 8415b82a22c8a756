"""Small values for tests: say what matters, get the rest filled in."""

from collections.abc import Iterable, Mapping

import msgspec

from connbeat.model.addresses import parse_ip
from connbeat.model.connections import (
    ConnectionReport,
    Direction,
    DirectionSource,
    EventKind,
    ListenerReport,
    Moved,
    Party,
    SummaryReason,
    SummaryReport,
)
from connbeat.model.containers import Container, PublishedPort
from connbeat.model.processes import Attribution, ContainerRef, Process, UnknownReason
from connbeat.model.sockets import Counters, Socket, SocketSnapshot, SocketSource, TcpState

SECOND = 1_000_000_000
HOST_NETNS = 1


def address(text: str) -> tuple[bytes, int]:
    """`10.0.0.1:80` or `[::1]:80` to packed address and port."""
    ip, _, port = text.rpartition(":")
    return parse_ip(ip.strip("[]")), int(port)


def counters(
    sent: int = 74, received: int = 1270, client_excess: int | None = None, rtt_us: int = 50
) -> Counters:
    return Counters(sent, received, 0, rtt_us, client_excess)


def row(
    local: str,
    remote: str,
    *,
    state: TcpState = TcpState.ESTABLISHED,
    cookie: int = 0,
    inode: int = 0,
    counters: Counters | None = None,
    interface: int = 0,
) -> Socket:
    """A socket with a remote end. Without a cookie it is a row of `/proc/net/tcp`."""
    local_ip, local_port = address(local)
    remote_ip, remote_port = address(remote)
    return Socket(
        family=2 if len(local_ip) == 4 else 10,
        state=state,
        local_ip=local_ip,
        local_port=local_port,
        remote_ip=remote_ip,
        remote_port=remote_port,
        interface=interface,
        cookie=cookie,
        inode=inode,
        uid=0,
        rqueue=0,
        wqueue=0,
        cgroup_id=0,
        is_v6_only=False,
        counters=counters,
    )


def listening(
    local: str, *, cookie: int = 0, inode: int = 0, is_v6_only: bool = False, backlog_max: int = 128
) -> Socket:
    remote = "0.0.0.0:0" if "[" not in local else "[::]:0"
    made = row(local, remote, state=TcpState.LISTEN, cookie=cookie, inode=inode)
    return msgspec.structs.replace(made, is_v6_only=is_v6_only, wqueue=backlog_max)


def snapshot(
    *sockets: Socket,
    netns: int = HOST_NETNS,
    source: SocketSource = SocketSource.INET_DIAG,
    is_complete: bool = True,
    taken_ns: int = 0,
) -> SocketSnapshot:
    return SocketSnapshot(netns, source, taken_ns, sockets, is_complete)


def process(
    pid: int,
    *arguments: str,
    container: str = "",
    environ: tuple[str, ...] = (),
    executable: str = "",
    user: str = "root",
) -> Process:
    """Without arguments it is `/usr/bin/p<pid>`."""
    executable = executable or (arguments[0] if arguments else f"/usr/bin/p{pid}")
    return Process(
        pid=pid,
        started_ticks=100,
        binary=executable.rpartition("/")[2],
        executable=executable,
        arguments=arguments or (executable,),
        environ=environ,
        uid=0,
        user=user,
        started_at_ns=1_700_000_000 * SECOND,
        container=ContainerRef(container, "docker") if container else None,
        netns=HOST_NETNS,
    )


def owned(pid: int, container: str = "") -> Attribution:
    owner = process(pid, container=container)
    return Attribution(owner, owner.container)


def connection_report(
    local: str = "10.0.0.1:45678",
    remote_address: str = "10.0.0.2:80",
    *,
    owner: Process | UnknownReason = UnknownReason.NOT_FOUND,
    container: Container | None = None,
    **fields: object,
) -> ConnectionReport:
    local_ip, local_port = address(local)
    remote_ip, remote_port = address(remote_address)
    report = ConnectionReport(
        id="h-1-2",
        event_id="h-1-2-opened-3",
        kind=EventKind.OPENED,
        netns=HOST_NETNS,
        interface=0,
        local_ip=local_ip,
        local_port=local_port,
        remote_ip=remote_ip,
        remote_port=remote_port,
        inode=17,
        state="established",
        direction=Direction.OUTBOUND,
        direction_source=DirectionSource.LISTENER,
        opened_ns=None,
        closed_ns=None,
        reported_ns=0,
        counters=None,
        local=Party(owner, container),
    )
    return msgspec.structs.replace(report, **fields)


def listener_report(
    local: str = "0.0.0.0:80",
    *,
    owner: Process | UnknownReason = UnknownReason.NOT_FOUND,
    container: Container | None = None,
    **fields: object,
) -> ListenerReport:
    ip, port = address(local)
    report = ListenerReport(
        id="h-1-9",
        event_id="h-1-9-opened-3",
        kind=EventKind.OPENED,
        netns=HOST_NETNS,
        interface=0,
        ip=ip,
        port=port,
        inode=9,
        opened_ns=None,
        closed_ns=None,
        reported_ns=0,
        backlog=0,
        backlog_max=128,
        local=Party(owner, container),
    )
    return msgspec.structs.replace(report, **fields)


def summary_report(**fields: object) -> SummaryReport:
    report = SummaryReport(
        id="h-s3-0",
        began_ns=0,
        reported_ns=30 * SECOND,
        netns=HOST_NETNS,
        reason=SummaryReason.CONFIGURED,
        local=Party(UnknownReason.NOT_FOUND, None),
        local_ip=parse_ip("10.0.0.1"),
        direction=Direction.OUTBOUND,
        local_port=None,
        remote_ip=parse_ip("10.0.0.2"),
        remote_port=80,
        folded=(),
        opened=0,
        closed=0,
        open=0,
        failures=(),
        moved=Moved(),
        earlier=Moved(),
        durations=None,
        rtts=None,
    )
    return msgspec.structs.replace(report, **fields)


class FakeContainers:
    """A `ContainerLookup` of fixed containers and published ports."""

    def __init__(
        self,
        containers: Iterable[Container] = (),
        published: Mapping[str, PublishedPort] | None = None,
    ) -> None:
        self._by_id = {container.id: container for container in containers}
        self._published = {address(text): port for text, port in (published or {}).items()}

    def by_id(self, container_id: str) -> Container | None:
        return self._by_id.get(container_id)

    def running(self) -> tuple[Container, ...]:
        return tuple(self._by_id.values())

    def published(self, ip: bytes, port: int) -> PublishedPort | None:
        return self._published.get((ip, port))
