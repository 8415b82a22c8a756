"""Reports: a life, as it stands, to the value that leaves the room."""

from collections.abc import Callable

from connbeat.connections.life import Life, life_id
from connbeat.connections.listeners import ListenerTable
from connbeat.connections.published import PublishedPorts
from connbeat.model.connections import (
    ConnectionReport,
    Direction,
    EventKind,
    ListenerReport,
    Party,
    RemoteParty,
    Report,
)
from connbeat.model.containers import Container, ContainerLookup
from connbeat.model.processes import Attribution, ContainerRef, Process, UnknownReason
from connbeat.model.sockets import TcpState


class ReportMaker:
    """Names both ends of a life by what is known at this moment; changes nothing but its id."""

    def __init__(
        self,
        id_prefix: str,
        containers: ContainerLookup,
        published: PublishedPorts,
        listeners_of: Callable[[int], ListenerTable],
    ) -> None:
        self._id_prefix = id_prefix
        self._containers = containers
        self._published = published
        self._listeners_of = listeners_of

    def _party(self, life: Life) -> Party:
        attribution = life.attribution or life.former or Attribution(UnknownReason.EXITED, None)
        if not isinstance(attribution.owner, Process) and life.direction is Direction.INBOUND:
            row = life.socket
            listeners = self._listeners_of(life.netns)
            process = listeners.owner(row.local_ip, row.local_port)
            if process is not None:
                attribution = Attribution(process, process.container)
        return Party(attribution.owner, self._container(attribution.container))

    def as_remote(self, life: Life) -> RemoteParty:
        """The party of this life, as its other end names it."""
        party = self._party(life)
        process = party.owner if isinstance(party.owner, Process) else None
        return RemoteParty(process, party.container)

    def _container(self, ref: ContainerRef | None) -> Container | None:
        if ref is None:
            return None
        return self._containers.by_id(ref.id) or Container(ref.id, runtime=ref.runtime)

    def _remote(self, life: Life) -> RemoteParty | None:
        remote = self.as_remote(life.peer) if life.peer is not None else life.remote
        if life.nat is None or (remote is not None and remote.container is not None):
            return remote
        published = self._published.find(life)  # docker-proxy answers in the container's name
        if published is None:
            return remote
        container = self._container(ContainerRef(published.container_id, "docker"))
        return RemoteParty(remote.process if remote is not None else None, container)

    def report(self, life: Life, kind: EventKind, now_ns: int) -> Report:
        if not life.id:
            life.id = life_id(self._id_prefix, life, now_ns)
        make = self._listener if life.is_listener else self._connection
        return make(life, kind, now_ns)

    def _listener(self, life: Life, kind: EventKind, now_ns: int) -> ListenerReport:
        row = life.socket
        return ListenerReport(
            id=life.id,
            event_id=f"{life.id}-{kind}-{now_ns:x}",
            kind=kind,
            netns=life.netns,
            interface=row.interface,
            ip=row.local_ip,
            port=row.local_port,
            inode=life.inode,
            opened_ns=life.opened_ns,
            closed_ns=life.closed_ns,
            reported_ns=now_ns,
            backlog=row.rqueue,
            backlog_max=row.wqueue,
            local=self._party(life),
        )

    def _connection(self, life: Life, kind: EventKind, now_ns: int) -> ConnectionReport:
        row = life.socket
        return ConnectionReport(
            id=life.id,
            event_id=f"{life.id}-{kind}-{now_ns:x}",
            kind=kind,
            netns=life.netns,
            interface=row.interface,
            local_ip=row.local_ip,
            local_port=row.local_port,
            remote_ip=row.remote_ip,
            remote_port=row.remote_port,
            inode=life.inode,
            state=_state(life),
            direction=life.direction,
            direction_source=life.direction_source,
            opened_ns=life.opened_ns,
            closed_ns=life.closed_ns,
            reported_ns=now_ns,
            counters=row.counters,
            local=self._party(life),
            remote=self._remote(life),
            nat=life.nat,
        )


def _state(life: Life) -> str:
    """The last state seen; `closed` once it is gone, unless it never got past SYN_SENT."""
    if life.closed_ns is not None and life.state != TcpState.SYN_SENT:
        return "closed"
    return TcpState(life.state).label
