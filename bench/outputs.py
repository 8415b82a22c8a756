"""What the benches of outputs share: documents, a full queue, and what sending it costs."""

import resource
from typing import Any

import msgspec

from connbeat.agent.delivery.deliver import DeliveryPolicy, DeliveryWorker
from connbeat.clock import SystemClock
from connbeat.events.timestamps import TimestampFormatter
from connbeat.model.batches import Event
from connbeat.outputs.protocol import Output, OutputContext
from connbeat.queue.memory import MemoryQueue
from connbeat.telemetry.metrics import Metrics

_START_NS = 1_795_000_000_000_000_000
_WORDS = "/usr/bin/curl --silent --retry 3 --max-time 30 --header accept:application/json"


def document(number: int) -> dict[str, Any]:
    """A connection of a container that ended: about 1,200 bytes."""
    time = TimestampFormatter().format(_START_NS + number * 1_000_000)
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return {
        "@timestamp": time,
        "type": "connbeat",
        "beat": {"name": "h1", "hostname": "h1", "version": "1.0.0", "local_ips": ["192.0.2.7"]},
        "local_ip": "172.18.0.3",
        "local_port": 32768 + number % 28000,
        "remote_ip": address,
        "remote_port": 443,
        "local_process": {
            "binary": "curl",
            "cmdline": f"{_WORDS} https://{address}/v1/items/{number}",
            "environ": [""],
            "pid": 4711 + number % 30000,
            "executable": "/usr/bin/curl",
            "uid": 1000,
            "user": "app",
            "started_at": time,
        },
        "container": {
            "id": f"{number % 40:064x}",
            "name": f"shop_client_{number % 40}",
            "image": "registry/shop/client:2.14.1",
            "env": ["TIER=web"],
            "labels": {
                "com.docker.compose.project": "shop",
                "com.docker.compose.service": "client",
                "org.opencontainers.image.revision": f"{number % 40:040x}",
            },
            "local_ips": ["172.18.0.3"],
            "ports": {"80": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]},  # noqa: S104  data
            "docker_host": {"hostname": "h1", "ips": ["192.0.2.7"]},
        },
        "connection": {
            "id": f"5b1c2f0a9d3e4f60-f0000098-{number:x}",
            "event": "closed",
            "direction": "outbound",
            "direction_source": "transition",
            "state": "closed",
            "opened_at": time,
            "closed_at": time,
            "duration_ms": number % 977 / 10,
            "bytes_sent": 74 + number % 1000,
            "bytes_received": 1270 + number % 90000,
            "retransmits": 0,
            "rtt_ms": 0.05,
            "netns": 4026532184,
        },
        "network": {"community_id": f"1:{number:027x}="},
    }


def event(number: int) -> Event:
    timestamp_ns = _START_NS + number * 1_000_000
    return Event(f"5b1c-{number:x}-c1", timestamp_ns, msgspec.json.encode(document(number)))


class Usage:
    """Time and CPU of this process from here on."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._started_ns = self._clock.monotonic_ns()
        self._cpu = _cpu_seconds()

    def figures(self) -> dict[str, float]:
        return {
            "seconds": (self._clock.monotonic_ns() - self._started_ns) / 1e9,
            "cpu": _cpu_seconds() - self._cpu,
            "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def context() -> OutputContext:
    return OutputContext(
        clock=SystemClock(), metrics=Metrics(), name="b", hostname="b", version="1"
    )


def drain(output: Output, count: int, max_events: int) -> dict[str, float]:
    """So many events from a full queue through the worker and the output: what it cost."""
    clock, metrics = SystemClock(), Metrics()
    queue = MemoryQueue(output.name, metrics, clock, max_events=count, max_bytes=1 << 40)
    queue.put([event(number) for number in range(count)])
    policy = DeliveryPolicy(max_events=max_events)
    worker = DeliveryWorker(output, queue, policy, metrics=metrics, clock=clock)
    usage = Usage()
    worker.start(lambda *_: None)
    worker.drain(clock.monotonic_ns() + int(600e9))
    counts = worker.join()
    figures = usage.figures()
    if counts.delivered != count:
        raise SystemExit(f"{counts.delivered} of {count} delivered")
    return figures
