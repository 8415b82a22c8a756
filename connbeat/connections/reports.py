"""Reports: a life, as it stands, to the value that leaves the room."""

import errno
from collections.abc import Callable

import msgspec

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
    Step,
)
from connbeat.model.containers import Container, ContainerLookup
from connbeat.model.processes import Attribution, ContainerRef, Owner, Process, UnknownReason
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
#: Whose a connection was whose owner nobody could be asked for any more.
_EXITED = Attribution(UnknownReason.EXITED, None)
_SYN_SENT = int(TcpState.SYN_SENT)
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
        self._now_ns = -1
        #: By the `id` of a process, which stands here too, lest that be another's.
        self._parties: dict[int, tuple[Party, RemoteParty]] = {}

    def begin(self, now_ns: int) -> None:
        """A new turn: all that is made once for all of its reports."""
        self._now_ns = now_ns
        self._suffixes = {kind: f"-{kind}-{now_ns:x}" for kind in EventKind}
        self._parties.clear()

    def _parties_of(self, life: Life) -> tuple[Party, RemoteParty]:
        """Whose a life is, as it names itself and as its other end names it."""
        attribution = life.attribution or life.former or _EXITED
        known = self._parties.get(id(attribution.owner))
        if known is not None:  # the rule
            return known
        owner: Owner | None = attribution.owner
        if not isinstance(owner, Process):
            owner = self._listening(life) if life.direction is Direction.INBOUND else None
        if owner is None:
            container = self._container(attribution.container)
            return Party(attribution.owner, container), RemoteParty(None, container)
        known = self._parties.get(id(owner))
        if known is None:
            container = self._container(owner.container)
            known = Party(owner, container), RemoteParty(owner, container)
            self._parties[id(owner)] = known
        return known

    def _listening(self, life: Life) -> Process | None:
        """Who accepts the connections to this end."""
        row = life.socket
        return self._listeners_of(life.netns).owner(row.local_ip, row.local_port)

    def party(self, life: Life) -> Party:
        """Whose a life is."""
        return self._parties_of(life)[0]

    def party_of(self, trace: Trace) -> Party:
        """Who called in vain."""
        process = trace.process
        if process is None:
            return Party(UnknownReason.EXITED, None)
        return Party(process, self._container(process.container))

    def as_remote(self, life: Life) -> RemoteParty:
        """The party of this life, as its other end names it."""
        return self._parties_of(life)[1]

    def _container(self, ref: ContainerRef | None) -> Container | None:
        if ref is None:
            return None
        known = self._containers.by_id(ref.id) or Container(ref.id)
        return known if known.runtime else msgspec.structs.replace(known, runtime=ref.runtime)

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
        if peer is None and life.nat is None:
            return life.remote, None
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

    def report(self, life: Life, kind: EventKind) -> Step:
        if not life.id:
            life.id = life_id(self._id_prefix, life, self._now_ns)
        return self._listener(life, kind) if life.is_listener else self._connection(life, kind)

    def failed(self, trace: Trace, nat: Address | None = None) -> ConnectionReport:
        """A connect that came to nothing. It has this one event, so its id needs no cookie."""
        process = trace.process
        netns = process.netns if process is not None else 0
        began_ns = trace.opened_ns or trace.failed_ns
        trace_id = f"{self._id_prefix}-{netns:x}-t{began_ns:x}-{trace.skaddr & 0xFFFFFFFF:x}"
        return ConnectionReport(
            id=trace_id,
            event_id=trace_id + self._suffixes[EventKind.FAILED],
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
            opened_ns=trace.opened_ns or None,
            closed_ns=trace.failed_ns,
            reported_ns=self._now_ns,
            counters=None,
            local=self.party_of(trace),
            nat=nat,
            failure=failure_of(trace),
        )

    def _listener(self, life: Life, kind: EventKind) -> ListenerReport:
        row = life.socket
        return ListenerReport(
            id=life.id,
            event_id=life.id + self._suffixes[kind],
            kind=kind,
            netns=life.netns,
            interface=row.interface,
            ip=row.local_ip,
            port=row.local_port,
            inode=life.inode,
            opened_ns=life.opened_ns,
            closed_ns=life.closed_ns,
            reported_ns=self._now_ns,
            backlog=row.rqueue,
            backlog_max=row.wqueue,
            local=self._parties_of(life)[0],
            is_only=not life.is_reported,
        )

    def _connection(self, life: Life, kind: EventKind) -> ConnectionReport:
        row, peer = life.socket, life.peer
        remote: RemoteParty | None
        nat: Address | None
        if peer is None or life.nat is not None or peer.relayed is not None or self._relays.are_any:
            remote, nat = self._other_end(life)
        else:  # the rule
            remote, nat = self._parties_of(peer)[1], None
        # By position, for this is done for every event: by name it takes five times as long.
        return ConnectionReport(
            life.id,
            life.id + self._suffixes[kind],
            kind,
            life.netns,
            row.interface,
            row.local_ip,
            row.local_port,
            row.remote_ip,
            row.remote_port,
            life.inode,
            _state(life),
            life.direction,
            life.direction_source,
            life.opened_ns,
            life.closed_ns,
            self._now_ns,
            row.counters,
            self._parties_of(life)[0],
            remote,
            nat,
            "",
            not life.is_reported,
        )


def failure_of(trace: Trace) -> str:
    """Why a connect came to nothing."""
    return _FAILURES.get(trace.errno, "unknown")


def _state(life: Life) -> str:
    """The last state seen; `closed` once it is gone, unless it never got past SYN_SENT."""
    if life.closed_ns is not None and life.state != _SYN_SENT:
        return "closed"
    return _STATES[life.state]
