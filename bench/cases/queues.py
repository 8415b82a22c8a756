"""The queues alone: events in, leased, settled, and nobody who sends them."""

import json
import sys
from collections.abc import Iterator

from bench.commands import call
from bench.figures import Measurement
from bench.setup import Case, Setup

_COUNT = 100_000
_RATE = 2_000
#: Kind, events a second (0: as quick as they go), how many, outputs.
_ROWS = (
    ("mem", 0, _COUNT, 1),
    ("mem", _RATE, 5 * _RATE, 1),
    ("disk", 0, _COUNT, 1),
    ("disk", 0, _COUNT, 3),
    ("disk", _RATE, 5 * _RATE, 1),
)


def _run(setup: Setup) -> Iterator[Measurement]:
    for kind, rate, count, outputs in _ROWS:
        numbers = map(str, (count, rate, outputs))
        text = call(sys.executable, "-m", "bench.queue_user", kind, *numbers, str(setup.folder()))
        figures: dict[str, float] = json.loads(text)
        speed = f"{rate:,}/s" if rate else "full speed"
        yield Measurement(
            f"{kind}, {speed}, {outputs} output{'s' if outputs > 1 else ''}",
            {
                "events/s": count / figures["seconds"],
                "CPU us/event": 1e6 * figures["cpu"] / count,
                "longest put ms": 1e3 * figures["longest_put"],
            },
        )


CASES = (
    Case("queues", "Events through a queue", "a few us of CPU an event, no put that waits", _run),
)
