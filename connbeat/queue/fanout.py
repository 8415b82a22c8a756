"""One intake in front of several: every event goes to every output's place."""

from collections.abc import Sequence

from connbeat.model.batches import Event
from connbeat.queue.protocol import Intake


class FanOut:
    """An `Intake`. The events are shared, not copied: a second output costs no second body."""

    def __init__(self, intakes: Sequence[Intake]) -> None:
        self._intakes = tuple(intakes)

    def put(self, events: Sequence[Event]) -> None:
        for intake in self._intakes:
            intake.put(events)
