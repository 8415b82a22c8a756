"""A full queue into a real Elasticsearch, beside the official client's own helper."""

import json
import sys
from collections.abc import Iterator

from bench.commands import BenchError, call
from bench.figures import Measurement
from bench.setup import Case, Setup
from tests.services.elasticsearch_node import ElasticsearchNode, missing_for_elasticsearch

_EVENTS = 50_000
# Of the Java machine: without it the first to be measured pays for the compiler.
_WARM_UP_EVENTS = 50_000
_SENDERS = ("connbeat", "connbeat-plain", "streaming_bulk")


def _run(setup: Setup) -> Iterator[Measurement]:
    if reason := missing_for_elasticsearch():
        raise BenchError(reason)
    with ElasticsearchNode(setup.folder()) as node:
        _send(node, "connbeat", _WARM_UP_EVENTS)
        for sender in _SENDERS:
            figures = _send(node, sender, _EVENTS)
            yield Measurement(
                sender,
                {
                    "events/s": _EVENTS / figures["seconds"],
                    "CPU us/event": 1e6 * figures["cpu"] / _EVENTS,
                    "peak MB": figures["rss"],
                },
            )


def _send(node: ElasticsearchNode, sender: str, count: int) -> dict[str, float]:
    """Into indices that are not there yet: an id that is known costs a search."""
    node.clear()
    text = call(sys.executable, "-m", "bench.elasticsearch_sender", sender, node.url, str(count))
    figures: dict[str, float] = json.loads(text)
    return figures


CASES = (
    Case(
        "to-elasticsearch",
        f"A queue of {_EVENTS:,} events into one Elasticsearch node",
        "as fast as `streaming_bulk`, at most 30 us of CPU an event",
        _run,
    ),
)
