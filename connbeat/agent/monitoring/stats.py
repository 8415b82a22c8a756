"""Stats: what the agent knows about itself in the shape any Beat tells it, and its own part.

Metricbeat's module `beat` and Kibana's monitoring read `/`, `/state` and `/stats`: names, places
and types of what libbeat has are theirs. libbeat has one output; ours are summed up there and stand
one by one below `connbeat.outputs`. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from connbeat.agent.monitoring.health import Health
from connbeat.agent.monitoring.identity import Identity
from connbeat.agent.monitoring.numbers import Numbers
from connbeat.capture.advice import Lack
from connbeat.capture.ladder import Rung, Standing
from connbeat.telemetry.metrics import Metric, Metrics
from connbeat.telemetry.self_usage import Usage

Document = dict[str, Any]


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """The process and its machine. `load` is that of 1, 5 and 15 minutes."""

    usage: Usage
    threads: int
    fd_limits: tuple[int, int]
    uptime_seconds: float
    cores: int
    load: tuple[float, float, float]
    architecture: str = ""
    kernel: str = ""


class Sighted(msgspec.Struct, frozen=True):
    """How each namespace is read, and what would show more."""

    standings: Mapping[int, Standing] = {}
    lacks: Sequence[Lack] = ()


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration's part of it: outputs in their order, the kind of queue and its limit."""

    outputs: tuple[str, ...]
    queue: str
    max_events: int = 0


def info_document(identity: Identity) -> Document:
    """`/`: who this is."""
    return {
        "beat": "connbeat",
        "hostname": identity.hostname,
        "name": identity.name,
        "uuid": identity.uuid,
        "version": identity.version,
    }


def state_document(identity: Identity, process: Process, pipeline: Pipeline) -> Document:
    """`/state`: what does not change between two starts."""
    return {
        "beat": {"name": identity.name},
        "host": {
            "architecture": process.architecture,
            "hostname": identity.hostname,
            "os": {"family": "linux", "kernel": process.kernel, "platform": "linux"},
        },
        "management": {"enabled": False},
        "module": {"count": 0, "names": []},
        "output": {"name": ",".join(pipeline.outputs)},
        "queue": {"name": pipeline.queue},
        "service": {"id": identity.uuid, "name": "connbeat", "version": identity.version},
    }


def stats_document(
    identity: Identity,
    process: Process,
    pipeline: Pipeline,
    metrics: Metrics,
    *,
    sighted: Sighted,
    health: Health,
) -> Document:
    """`/stats`: every number, as of now."""
    numbers = Numbers(metrics)
    return {
        "beat": _beat(identity, process),
        "connbeat": _connbeat(numbers, sighted, health, pipeline),
        "libbeat": {
            "config": {"module": {"running": 0, "starts": 0, "stops": 0}, "reloads": 0},
            "output": {"type": ",".join(pipeline.outputs), **_output(numbers, None)},
            "pipeline": _pipeline(numbers, pipeline),
        },
        "system": _system(process),
    }


def _beat(identity: Identity, process: Process) -> Document:
    usage = process.usage
    user, system = int(usage.user_seconds * 1000), int(usage.system_seconds * 1000)
    soft, hard = process.fd_limits
    return {
        "cpu": {
            "system": {"ticks": system, "time": {"ms": system}},
            "total": {
                "ticks": user + system,
                "time": {"ms": user + system},
                "value": user + system,
            },
            "user": {"ticks": user, "time": {"ms": user}},
        },
        "handles": {"limit": {"hard": hard, "soft": soft}, "open": usage.open_fds},
        "info": {
            "ephemeral_id": identity.ephemeral_id,
            "name": "connbeat",
            "uptime": {"ms": int(process.uptime_seconds * 1000)},
            "version": identity.version,
        },
        # Of the heap of Go, which we do not have: what is ours alone, and all.
        "memstats": {
            "gc_next": 0,
            "memory_alloc": usage.private_bytes,
            "memory_total": usage.memory_bytes,
            "rss": usage.memory_bytes,
        },
        "runtime": {"goroutines": process.threads},
    }


def _system(process: Process) -> Document:
    names = ("1", "5", "15")
    load = dict(zip(names, process.load, strict=True))
    norm = {name: round(value / process.cores, 4) for name, value in load.items()}
    return {"cpu": {"cores": process.cores}, "load": {**load, "norm": norm}}


def _output(numbers: Numbers, output: str | None) -> Document:
    """An output, or all of them, as libbeat tells of its one."""
    dropped = numbers.drops(output, by_queue=False)
    acked = numbers.of(Metric.EVENTS_DELIVERED, output)
    failed = numbers.of(Metric.EVENTS_RETRIED, output)
    active = numbers.of(Metric.EVENTS_IN_FLIGHT, output)
    return {
        "events": {
            "acked": acked,
            "active": active,
            "batches": numbers.of(Metric.BATCH_SECONDS, output, "_count"),
            "dead_letter": numbers.of(Metric.DEAD_LETTERS, output),
            "dropped": dropped,
            "duplicates": 0,
            "failed": failed,
            "toomany": 0,
            "total": acked + failed + dropped + active,
        },
        "read": {"bytes": 0, "errors": 0},
        "write": {
            "bytes": numbers.of(Metric.SENT_BYTES, output),
            "errors": numbers.of(Metric.OUTPUT_FAILURES, output),
        },
    }


def _pipeline(numbers: Numbers, pipeline: Pipeline) -> Document:
    reports, failed = numbers.of(Metric.REPORTS), numbers.of(Metric.REPORTS_FAILED)
    filtered = numbers.of(Metric.PROCESSOR_FILTERED)
    waiting = numbers.of(Metric.QUEUE_EVENTS)
    filled = max(numbers.values(Metric.QUEUE_FILL), default=0.0)
    settled = numbers.of(Metric.EVENTS_DELIVERED) + numbers.drops(None, by_queue=False)
    return {
        "clients": 1,
        "events": {
            "active": waiting,
            "dropped": numbers.drops(None, by_queue=True),
            "failed": failed,
            "filtered": filtered + numbers.of(Metric.EVENTS_FILTERED),
            "published": reports - failed - filtered,
            "retry": numbers.of(Metric.EVENTS_RETRIED),
            "total": reports,
        },
        "queue": {
            "acked": settled,
            "filled": {
                "bytes": numbers.of(Metric.QUEUE_BYTES),
                "events": waiting,
                "pct": round(filled, 4),
            },
            "max_events": pipeline.max_events,
        },
    }


def _connbeat(numbers: Numbers, sighted: Sighted, health: Health, pipeline: Pipeline) -> Document:
    return {
        "health": health,
        "capture": {
            "namespaces": {
                str(netns): _standing(standing) for netns, standing in sighted.standings.items()
            },
            "rungs": {
                rung.label: sum(one.rung is rung for one in sighted.standings.values())
                for rung in Rung
            },
            "would_show_more": [{"what": one.what, "give": one.give} for one in sighted.lacks],
        },
        "coverage": {
            "ratio": numbers.value(Metric.COVERAGE),
            "lowest_ratio": numbers.value(Metric.COVERAGE_LOWEST),
            "unknown_namespaces": numbers.of(Metric.COVERAGE_UNKNOWN),
        },
        "outputs": {output: _own_output(numbers, output) for output in pipeline.outputs},
        "unknown": numbers.by_label(Metric.OWNERS_UNKNOWN),
        # Every number under the name it has in the log and in /metrics.
        "metrics": numbers.named(),
    }


def _standing(standing: Standing) -> Document:
    told = {"rung": standing.rung.label}
    return {**told, "missing": standing.missing} if standing.missing else told


def _own_output(numbers: Numbers, output: str) -> Document:
    labels = {"output": output}
    return {
        **_output(numbers, output),
        "queue": {
            "bytes": numbers.of(Metric.QUEUE_BYTES, output),
            "events": numbers.of(Metric.QUEUE_EVENTS, output),
            "fill_ratio": numbers.value(Metric.QUEUE_FILL, **labels),
            "oldest_event_age_seconds": numbers.value(Metric.QUEUE_AGE, **labels),
        },
        "stalled_seconds": numbers.value(Metric.OUTPUT_STALLED, **labels),
        "dropped": numbers.reasons(output),
    }
