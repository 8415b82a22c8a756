"""How often each event was tried, and the end of it where a limit is set. Pure."""

import msgspec

from connbeat.model.batches import Drop, Event, Outcome

MAX_RETRIES = "max_retries"


class Retries:
    """The tries of the events that are to be retried. One worker owns it.

    What is retried stands at the front of the queue and so in the next batch: the outcome of that
    batch names all we need to remember, and the memory never outgrows one batch.
    """

    def __init__(self, max_retries: int | None) -> None:
        self._max_retries = max_retries
        self._tries: dict[str, int] = {}

    def limit(self, outcome: Outcome) -> Outcome:
        """The outcome, with those events dropped that were retried `max_retries` times before."""
        if self._max_retries is None or not (outcome.retry or self._tries):
            return outcome
        self._tries = {event.id: self._tries.get(event.id, 0) + 1 for event in outcome.retry}
        spent = tuple(event for event in outcome.retry if self._is_spent(event))
        if not spent:
            return outcome
        return msgspec.structs.replace(
            outcome,
            retry=tuple(event for event in outcome.retry if not self._is_spent(event)),
            dropped=(*outcome.dropped, *(Drop(event, MAX_RETRIES) for event in spent)),
        )

    def _is_spent(self, event: Event) -> bool:
        return self._max_retries is not None and self._tries[event.id] > self._max_retries
