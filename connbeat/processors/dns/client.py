"""Asks the servers, in threads of its own. The only module that knows dnspython."""

import logging
import threading
from collections import deque
from collections.abc import Callable

import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver
import dns.reversename

from connbeat.clock import Clock
from connbeat.errors import ConfigError
from connbeat.processors.dns.cache import NameCache
from connbeat.processors.dns.processor import DnsConfig
from connbeat.processors.dns.servers import is_address, parse_server
from connbeat.telemetry.log import RateLimited
from connbeat.telemetry.metrics import Metric, Metrics

log = logging.getLogger(__name__)

#: Questions under way at once; with 20 ms an answer, 200 a second.
_THREADS = 4
#: Addresses that wait to be asked for. More are not asked: their events go on without a name.
_MOST_WAITING = 10_000
#: What waited so long nobody waits for any more; where it is still of use it is asked for anew.
_STALE_NS = 10_000_000_000
_PORTS = {"udp": 53, "tls": 853}


class Resolver:
    """`Names`: `get` from any thread; `start` and `close` once each."""

    def __init__(self, config: DnsConfig, clock: Clock, metrics: Metrics) -> None:
        """Reads /etc/resolv.conf, unless servers are named. Raises ConfigError."""
        self._config = config
        self._clock = clock
        self._metrics = metrics
        self._lines = RateLimited(log, clock, 300.0)
        self._ask = _asker(config)
        self._cache = NameCache(
            most_names=config.success_cache_capacity_max,
            most_failures=config.failure_cache_capacity_max,
        )
        self._condition = threading.Condition()  # guards the cache and the three below
        self._waiting: deque[tuple[str, int]] = deque()  # and since when
        self._under_way: set[str] = set()
        self._is_closed = False

    def start(self) -> None:
        for number in range(_THREADS):
            threading.Thread(target=self._run, name=f"dns-{number}", daemon=True).start()

    def close(self) -> None:
        """A question under way ends with its timeout; nobody waits for it."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()

    def get(self, address: str) -> str | None:
        now_ns = self._clock.monotonic_ns()
        with self._condition:
            name = self._cache.get(address, now_ns)
            if name is None and address not in self._under_way:
                name = self._enqueue(address, now_ns)
        return name

    def _enqueue(self, address: str, now_ns: int) -> str | None:
        """Nothing where it is not worth waiting: the empty name."""
        if not is_address(address):
            return ""
        if len(self._waiting) >= _MOST_WAITING:
            self._metrics.add(Metric.DNS_LOOKUPS, outcome="refused")
            return ""
        self._under_way.add(address)
        self._waiting.append((address, now_ns))
        self._condition.notify()
        return None

    def _run(self) -> None:
        while (address := self._next()) is not None:
            try:
                name, ttl = self._look_up(address)
            except Exception:  # the top of a worker: a bug costs one name
                log.exception("A look-up broke. address=%s", address)
                name, ttl = "", self._config.failure_cache_ttl_seconds
            until_ns = self._clock.monotonic_ns() + int(ttl * 1e9)
            with self._condition:
                self._cache.add(address, name, until_ns)
                self._under_way.discard(address)

    def _next(self) -> str | None:
        """The next one worth asking; None at the end."""
        with self._condition:
            while not self._is_closed:
                if not self._waiting:
                    self._condition.wait()
                    continue
                address, since_ns = self._waiting.popleft()
                if self._clock.monotonic_ns() - since_ns < _STALE_NS:
                    return address
                self._under_way.discard(address)
                self._metrics.add(Metric.DNS_LOOKUPS, outcome="refused")
            return None

    def _look_up(self, address: str) -> tuple[str, float]:
        """The name, or "", and for how many seconds that holds."""
        try:
            name, ttl = self._ask(address)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            self._metrics.add(Metric.DNS_LOOKUPS, outcome="no_name")
        except (dns.exception.DNSException, OSError) as error:
            self._metrics.add(Metric.DNS_LOOKUPS, outcome="failed")
            self._lines.warning("A name server does not answer as it should. error=%s", error)
        else:
            self._metrics.add(Metric.DNS_LOOKUPS, outcome="found")
            return name, max(ttl, self._config.success_cache_min_ttl_seconds)
        return "", self._config.failure_cache_ttl_seconds


def _asker(config: DnsConfig) -> Callable[[str], tuple[str, float]]:
    """A function that asks for an address: its name and how long that holds."""
    resolver = dns.resolver.Resolver(configure=False)
    texts = config.nameservers or _system_servers()
    resolver.nameservers = [_server(text, config) for text in texts]
    resolver.timeout = config.timeout_seconds
    resolver.lifetime = config.timeout_seconds * len(texts)

    def ask(address: str) -> tuple[str, float]:
        name = dns.reversename.from_address(address)
        answer = resolver.resolve(name, dns.rdatatype.PTR, search=False)
        ttl = 0 if answer.rrset is None else answer.rrset.ttl
        return answer[0].target.to_text(omit_final_dot=True), float(ttl)

    return ask


def _system_servers() -> list[str]:
    try:
        return [str(server) for server in dns.resolver.Resolver().nameservers]
    except dns.resolver.NoResolverConfiguration as error:
        fault = f"processors: dns: {error}; name the servers: nameservers: [192.0.2.53]"
        raise ConfigError((fault,)) from error


def _server(text: str, config: DnsConfig) -> dns.nameserver.Nameserver:
    host, port = parse_server(text, _PORTS[config.transport])
    if config.transport == "tls":
        return dns.nameserver.DoTNameserver(host, port)
    return dns.nameserver.Do53Nameserver(host, port)
