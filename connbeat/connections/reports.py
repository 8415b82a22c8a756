"""Reports: a life, as it stands, to the value that leaves the room."""

import errno
from collections.abc import Callable

from connbeat.connections.life import Life, Relayed, life_id
from connbeat.connections.listeners import ListenerTable
from connbeat.connections.published import PublishedPorts
from connbeat.connections.relays import Relays
from connbeat.model.connections import (
    Address,
    ConnectionReport,
    Direction,
    DirectionSource,
    EventKind,
    ListenerReport,
    Party,
    RemoteParty,
    Report,
)
from connbeat.model.containers import Container, ContainerLookup
from connbeat.model.processes import Attribution, ContainerRef, Process, UnknownReason
from connbeat.model.sockets import TcpState
from connbeat.model.traces import Trace

_FAILURES = {
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "timeout",
    errno.ECONNRESET: "reset",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETDOWN: "unreachable",
    errno.EHOSTDOWN: "unreachable",
    errno.ECANCELED: "cancelled",
    errno.EADDRNOTAVAIL: "no_local_port",
}


_STATES = {int(state): state.label for state in TcpState}


class ReportMaker:
    """Names both ends of a life by what is known at this moment; changes nothing but its id."""

    def __init__(
        self,
        id_prefix: str,
        containers: ContainerLookup,
        published: PublishedPorts,
        listeners_of: Callable[[int], ListenerTable],
        *,
        relays: Relays,
    ) -> None:
        self._id_prefix = id_prefix
        self._containers = containers
        self._published = published
        self._listeners_of = listeners_of
        self._relays = relays
        self._suffixes: dict[EventKind, str] = {}
        self._suffixes_ns = -1

    def _suffix(self, kind: EventKind, now_ns: int) -> str:
        """What makes an event's id of a connection's: made once a poll and kind."""
        if now_ns != self._suffixes_ns:
            self._suffixes = {kind: f"-{kind}-{now_ns:x}" for kind in EventKind}
            self._suffixes_ns = now_ns
        return self._suffixes[kind]

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

    def far_party(self, life: Life) -> RemoteParty | None:
        """Who is at the other end of this life's own addresses, if that is known."""
        return self.as_remote(life.peer) if life.peer is not None else life.remote

    def beyond(self, relayed: Relayed, near: Life) -> tuple[RemoteParty | None, Address]:
        """Whom the one at the other end of `near` really talks to; `near` is docker-proxy's."""
        if near is relayed.called:
            far, party, address = relayed.accepted, relayed.client_party, relayed.client
        else:
            far, party, address = relayed.called, relayed.backend_party, relayed.backend
        return self.far_party(far) if far is not None else party, address

    def _other_end(self, life: Life) -> tuple[RemoteParty | None, Address | None]:
        """Who is at the other end, and its address if that is not the remote one."""
        peer = life.peer
        remote: RemoteParty | None
        nat: Address | None
        if peer is not None and peer.relayed is not None:
            remote, nat = self.beyond(peer.relayed, peer)
        else:
            remote, nat = self.far_party(life), life.nat
            if nat is None and peer is not None:
                nat = self._relays.target_of(peer)
        if nat is not None and (remote is None or remote.container is None):
            remote = self._published_to(life, remote)
        return remote, nat

    def _published_to(self, life: Life, remote: RemoteParty | None) -> RemoteParty | None:
        """With the container of a published port: docker-proxy answers in its name."""
        published = self._published.find(life)
        if published is None:
            return remote
        container = self._container(ContainerRef(published.container_id, "docker"))
        return RemoteParty(remote.process if remote is not None else None, container)

    def report(self, life: Life, kind: EventKind, now_ns: int) -> Report:
        if not life.id:
            life.id = life_id(self._id_prefix, life, now_ns)
        make = self._listener if life.is_listener else self._connection
        return make(life, kind, now_ns)

    def failed(self, trace: Trace, now_ns: int, nat: Address | None = None) -> ConnectionReport:
        """A connect that came to nothing. It has this one event, so its id needs no cookie."""
        process = trace.process
        netns = process.netns if process is not None else 0
        trace_id = f"{self._id_prefix}-{netns:x}-t{trace.opened_ns:x}-{trace.skaddr & 0xFFFFFFFF:x}"
        owner = process or UnknownReason.EXITED
        container = self._container(process.container) if process is not None else None
        return ConnectionReport(
            id=trace_id,
            event_id=trace_id + self._suffix(EventKind.FAILED, now_ns),
            kind=EventKind.FAILED,
            netns=netns,
            interface=0,
            local_ip=trace.local_ip,
            local_port=trace.local_port,
            remote_ip=trace.remote_ip,
            remote_port=trace.remote_port,
            inode=0,
            state=TcpState.SYN_SENT.label,
            direction=Direction.OUTBOUND,
            direction_source=DirectionSource.TRANSITION,
            opened_ns=trace.opened_ns,
            closed_ns=trace.failed_ns,
            reported_ns=now_ns,
            counters=None,
            local=Party(owner, container),
            nat=nat,
            failure=_FAILURES.get(trace.errno, "unknown"),
        )

    def _listener(self, life: Life, kind: EventKind, now_ns: int) -> ListenerReport:
        row = life.socket
        return ListenerReport(
            id=life.id,
            event_id=life.id + self._suffix(kind, now_ns),
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
        remote, nat = self._other_end(life)
        return ConnectionReport(
            id=life.id,
            event_id=life.id + self._suffix(kind, now_ns),
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
            remote=remote,
            nat=nat,
        )


def _state(life: Life) -> str:
    """The last state seen; `closed` once it is gone, unless it never got past SYN_SENT."""
    if life.closed_ns is not None and life.state != TcpState.SYN_SENT:
        return "closed"
    return _STATES[life.state]
