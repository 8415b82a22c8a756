"""What Metricbeat's module `beat` reads of an agent, written down from its schemas (8.x).

A client that does as the module does: the metricset `stats` asks for `/stats` and `/`, `state` for
`/state` and `/`; every value is converted to the kind the schema says, and what is not there or of
another kind is an error of the metricset.
"""

import json
from collections.abc import Callable
from typing import Any

Fetch = Callable[[str], str]

STATS_INTEGERS = """
beat.info.uptime.ms beat.runtime.goroutines
beat.handles.limit.hard beat.handles.limit.soft beat.handles.open
beat.memstats.gc_next beat.memstats.memory_alloc beat.memstats.memory_total beat.memstats.rss
libbeat.config.module.running libbeat.config.module.starts libbeat.config.module.stops
libbeat.output.events.acked libbeat.output.events.active libbeat.output.events.batches
libbeat.output.events.dropped libbeat.output.events.duplicates libbeat.output.events.failed
libbeat.output.events.toomany libbeat.output.events.total
libbeat.output.read.bytes libbeat.output.read.errors
libbeat.output.write.bytes libbeat.output.write.errors
libbeat.pipeline.clients libbeat.pipeline.queue.acked
libbeat.pipeline.events.active libbeat.pipeline.events.dropped libbeat.pipeline.events.failed
libbeat.pipeline.events.filtered libbeat.pipeline.events.published libbeat.pipeline.events.retry
libbeat.pipeline.events.total
"""
STATS_TEXTS = "libbeat.output.type"
#: Taken as they are; Kibana's monitoring charts these of them.
STATS_NUMBERS = """
beat.cpu.total.value beat.cpu.total.time.ms beat.cpu.user.time.ms beat.cpu.system.time.ms
system.load.1 system.load.5 system.load.15 system.load.norm.1 system.cpu.cores
libbeat.pipeline.queue.filled.pct libbeat.pipeline.queue.max_events
"""
INFO_TEXTS = "uuid beat name hostname version"
STATE_TEXTS = """
service.id service.name service.version output.name queue.name
host.architecture host.hostname host.os.kernel host.os.platform
"""
STATE_INTEGERS = "module.count"
STATE_BOOLEANS = "management.enabled"


def read_stats(fetch: Fetch) -> dict[str, Any]:
    """The metricset `stats`, by path."""
    stats, info = json.loads(fetch("/stats")), json.loads(fetch("/"))
    return {
        **_taken(stats, STATS_INTEGERS, int),
        **_taken(stats, STATS_TEXTS, str),
        **_taken(stats, STATS_NUMBERS, int, float),
        **_taken(info, INFO_TEXTS, str),
    }


def read_state(fetch: Fetch) -> dict[str, Any]:
    """The metricset `state`, by path."""
    state, info = json.loads(fetch("/state")), json.loads(fetch("/"))
    return {
        **_taken(state, STATE_TEXTS, str),
        **_taken(state, STATE_INTEGERS, int),
        **_taken(state, STATE_BOOLEANS, bool),
        **_taken(info, INFO_TEXTS, str),
    }


def _taken(document: dict[str, Any], paths: str, *kinds: type) -> dict[str, Any]:
    found = {}
    for path in paths.split():
        value: Any = document
        for key in path.split("."):
            assert key in value, f"{path} is missing"
            value = value[key]
        assert type(value) in kinds, f"{path} is {value!r}"
        found[path] = value
    return found
