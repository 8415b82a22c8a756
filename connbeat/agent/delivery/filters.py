"""Which events an output wants: its `when`. Pure."""

from collections.abc import Mapping
from typing import Any

from connbeat.model.batches import Event
from connbeat.model.conditions import parse_condition
from connbeat.model.documents import decode_document


class WhenFilter:
    """Splits batches. An event whose body is no document is wanted: it is not ours to judge."""

    def __init__(self, when: Mapping[str, Any] | None) -> None:
        """Raises ValueError if it is no condition."""
        self._fits = None if when is None else parse_condition(when)

    def split(self, events: tuple[Event, ...]) -> tuple[tuple[Event, ...], tuple[Event, ...]]:
        """What is wanted and what is not, both in their order."""
        if self._fits is None:
            return events, ()
        wanted = tuple(filter(self._is_wanted, events))
        if len(wanted) == len(events):
            return events, ()
        names = {event.id for event in wanted}
        return wanted, tuple(event for event in events if event.id not in names)

    def _is_wanted(self, event: Event) -> bool:
        document = decode_document(event.body)
        return document is None or self._fits is None or self._fits(document)
