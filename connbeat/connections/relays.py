"""Relays: docker-proxy, which accepts a connection and calls the container for it.

Its two connections belong together, and nothing but their time says which ones. docker-proxy calls
the container for every connection that it accepts, so at the moment of a call the connection that
it serves is one of those that were accepted before it and have had no call. If that is one, it is
the one. If it is several, nobody can tell, and nobody is told: the container's event names
docker-proxy then.

An accepted connection leaves that list by its call; by its end, because docker-proxy closes none
before it has called; or together with all others once there were as many calls as connections.
After a loss of notifications nothing is joined for a second: a lost one may still wait.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from connbeat.connections.life import Life, Relayed
from connbeat.model.addresses import is_wildcard, parse_ip
from connbeat.model.connections import Address, Direction, FourTuple
from connbeat.model.processes import Process
from connbeat.model.traces import Tick, Trace
from connbeat.telemetry.metrics import Metric, Metrics

_BINARY = "docker-proxy"
_SETTLE_NS = 1_000_000_000
#: Joined connections wait so long for their lives: the longest poll interval that makes sense.
_LINK_NS = 120_000_000_000
_MAX_UNLINKED = 50_000


class _Proxy:
    """One docker-proxy: it listens on `door` and calls `target`. `waiting` are its accepted
    connections that may have had no call, `called` how many calls went to one of several.
    """  # noqa: D205  one thought

    __slots__ = ("called", "door", "process", "target", "trusted_ns", "waiting")

    def __init__(self, process: Process, door: Address, target: Address, trusted_ns: int) -> None:
        self.process = process
        self.door = door
        self.target = target
        self.trusted_ns = trusted_ns
        self.waiting: list[Trace] = []
        self.called = 0

    def serve(self, call: Trace) -> tuple[bool, Trace | None]:
        """(whether any waited, the accepted connection that this call is for if it is certain)."""
        called_ns = call.opened_ns
        candidates = [
            trace
            for trace in self.waiting
            if trace.opened_ns <= called_ns and not 0 < trace.closed_ns < called_ns
        ]
        if len(candidates) == 1:
            self.waiting.remove(candidates[0])
        else:
            self.called += bool(candidates)
        if self.called >= len(self.waiting):
            self.waiting.clear()
            self.called = 0
        is_certain = len(candidates) == 1 and called_ns >= self.trusted_ns
        return bool(candidates), candidates[0] if is_certain else None

    def start_over(self, trusted_ns: int) -> None:
        """What waits now may have had a call that nobody saw, and its end will not be seen."""
        self.waiting.clear()
        self.called = 0
        self.trusted_ns = trusted_ns

    def prune(self) -> None:
        """What has ended has had its call."""
        if not self.waiting:
            return
        left = [trace for trace in self.waiting if not trace.closed_ns]
        self.called = max(0, self.called - len(self.waiting) + len(left))
        self.waiting = left


class Relays:
    """All docker-proxies of this host. Mutable, one owner."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._host_addresses: frozenset[bytes] = frozenset()
        self._now_ns = 0
        self._by_pid: dict[int, _Proxy] = {}
        self._by_port: dict[int, list[_Proxy]] = {}
        self._unlinked: dict[FourTuple, tuple[Relayed, bool]] = {}

    def set_host(self, addresses: frozenset[bytes]) -> None:
        self._host_addresses = addresses

    def learn(self, process: Process, ip: bytes, port: int, trusted_ns: int | None = None) -> None:
        """This process listens here. It may be in the midst of it unless `trusted_ns` is given."""
        if process.binary != _BINARY:
            return
        if trusted_ns is None:
            trusted_ns = self._now_ns + _SETTLE_NS
        known = self._by_pid.get(process.pid)
        if known is not None and known.process.started_ticks == process.started_ticks:
            return
        target = parse_target(process.arguments)
        if target is None:
            return
        self.forget(process.pid)
        proxy = _Proxy(process, Address(ip, port), target, trusted_ns)
        self._by_pid[process.pid] = proxy
        self._by_port.setdefault(port, []).append(proxy)

    def forget(self, pid: int) -> None:
        """Its listener closed."""
        proxy = self._by_pid.pop(pid, None)
        if proxy is not None:
            at_port = self._by_port[proxy.door.port]
            at_port.remove(proxy)
            if not at_port:
                del self._by_port[proxy.door.port]

    @property
    def are_any(self) -> bool:
        return bool(self._by_port)

    def target_of(self, life: Life) -> Address | None:
        """Which address of a container a connection leads to that docker-proxy accepted."""
        if not self._by_port:
            return None
        proxy = self._at(life.socket.local_ip, life.socket.local_port)
        return proxy.target if proxy is not None and proxy.process.netns == life.netns else None

    def fold(self, tick: Tick) -> None:
        """Join what docker-proxies accepted with what they called."""
        self._now_ns = tick.until_ns
        for trace in tick.opened:
            if trace.is_listener and trace.process is not None:
                self.learn(trace.process, trace.local_ip, trace.local_port, 0)
        if not self._by_pid:
            return
        if tick.is_lossy:
            for proxy in self._by_pid.values():
                proxy.start_over(tick.until_ns + _SETTLE_NS)
        self._join(tick)
        for proxy in self._by_pid.values():
            proxy.prune()
        self._expire()

    def disown(self, netns: int, trace: Trace) -> None:
        """An accepted connection turned out to be of this namespace: maybe not docker-proxy's."""
        for proxy in self._by_port.get(trace.local_port, ()):
            if proxy.process.netns != netns and trace in proxy.waiting:
                proxy.waiting.remove(trace)

    def link(self, lives: Iterable[Life]) -> None:
        """New lives: those that a docker-proxy holds learn what they are joined to."""
        if not self._unlinked:
            return
        for life in lives:
            row = life.socket
            ends = (row.local_ip, row.local_port, row.remote_ip, row.remote_port)
            relayed, is_accepted = self._unlinked.get(ends, (None, False))
            if relayed is None or relayed.netns != life.netns:
                continue
            del self._unlinked[ends]
            life.relayed = relayed
            if is_accepted:
                relayed.accepted = life
            else:
                relayed.called = life

    def _join(self, tick: Tick) -> None:
        for proxy, trace in sorted(self._theirs(tick), key=_opened_ns):
            if trace.direction is Direction.INBOUND:
                proxy.waiting.append(trace)
            else:
                self._serve(proxy, trace)

    def _theirs(self, tick: Tick) -> Iterable[tuple[_Proxy, Trace]]:
        by_pid, by_port = self._by_pid, self._by_port
        for traces in (tick.established, tick.failed):
            for trace in traces:
                process = trace.process
                if trace.direction is Direction.OUTBOUND:
                    proxy = by_pid.get(process.pid) if process is not None else None
                    if proxy is not None and _is_to(trace, proxy.target):
                        yield proxy, trace
                elif trace.local_port in by_port and not trace.is_listener:
                    proxy = self._at(trace.local_ip, trace.local_port)
                    if proxy is not None:
                        yield proxy, trace

    def _at(self, ip: bytes, port: int) -> _Proxy | None:
        """The one that accepts connections to this address of the host."""
        at_port = self._by_port.get(port, ())
        for proxy in at_port:
            if proxy.door.ip == ip:
                return proxy
        if ip not in self._host_addresses:
            return None  # a container's own listener at the same port
        for proxy in at_port:
            if is_wildcard(proxy.door.ip) and len(proxy.door.ip) == len(ip):
                return proxy
        return None

    def _serve(self, proxy: _Proxy, call: Trace) -> None:
        any_waited, accepted = proxy.serve(call)
        if accepted is None:
            if any_waited:
                is_early = call.opened_ns < proxy.trusted_ns
                self._metrics.add(Metric.RELAYED, outcome="early" if is_early else "ambiguous")
            return
        self._metrics.add(Metric.RELAYED, outcome="joined")
        relayed = Relayed(
            proxy.process.netns,
            Address(accepted.remote_ip, accepted.remote_port),
            proxy.target,
            call.opened_ns,
        )
        self._unlinked[_ends_of(accepted)] = relayed, True
        if not call.failed_ns:
            self._unlinked[_ends_of(call)] = relayed, False

    def _expire(self) -> None:
        """Forget joined ones whose lives never came: left out for want of room, say."""
        unlinked = self._unlinked
        while unlinked:
            ends, (relayed, _) = next(iter(unlinked.items()))
            if self._now_ns - relayed.joined_ns < _LINK_NS and len(unlinked) <= _MAX_UNLINKED:
                return
            del unlinked[ends]


def parse_target(arguments: Sequence[str]) -> Address | None:
    """The container's address in docker-proxy's command line; None if it is not there."""
    named = dict(pairwise(arguments))
    try:
        return Address(parse_ip(named["-container-ip"]), int(named["-container-port"]))
    except (KeyError, ValueError):
        return None


def _is_to(trace: Trace, target: Address) -> bool:
    return trace.remote_port == target.port and trace.remote_ip == target.ip


def _ends_of(trace: Trace) -> FourTuple:
    return trace.local_ip, trace.local_port, trace.remote_ip, trace.remote_port


def _opened_ns(found: tuple[_Proxy, Trace]) -> int:
    return found[1].opened_ns
