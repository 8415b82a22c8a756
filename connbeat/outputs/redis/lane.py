"""One lane to Redis: round after round to one host at a time."""

import logging
from collections.abc import Callable, Iterable, Sequence

from connbeat.clock import Clock
from connbeat.errors import Transient
from connbeat.model.batches import Drop, Event, Outcome
from connbeat.model.format_strings import MissingField
from connbeat.model.selectors import Selector
from connbeat.outputs.failover import Failover
from connbeat.outputs.redis.commands import Command, Settled, plan_rounds, settle
from connbeat.outputs.redis.config import Datatype
from connbeat.outputs.redis.connection import Connection
from connbeat.telemetry.log import RateLimited

NO_KEY = "no_key"
_PARTLY = "Redis took a part of a batch; the rest is sent again. error=%s"

_log = logging.getLogger(__name__)


class RedisLane:
    """A `Lane`.

    Nothing that Redis refuses is given up: out of memory, a replica that may not write, a user who
    may not, a key that holds something else are all states of the server that somebody can mend.
    A host that refuses a whole round is left for the next one.
    """

    def __init__(
        self, failover: Failover[Connection], selector: Selector, datatype: Datatype, clock: Clock
    ) -> None:
        self._failover = failover
        self._selector = selector
        self._datatype = datatype
        self._lines = RateLimited(_log, clock)

    def open(self) -> None:
        """Raises Transient."""
        self._failover.connection()

    def send(self, events: tuple[Event, ...]) -> Outcome:
        keyed, dropped = _with_keys(events, self._selector.select)
        delivered: list[Event] = []
        retry: list[Event] = []
        stopped: Transient | None = None
        for commands in plan_rounds(keyed, self._datatype):
            if stopped is not None:
                retry += (event for command in commands for event in command.events)
                continue
            settled, stopped = self._round(commands)
            delivered += settled.delivered
            retry += (*settled.refused, *settled.unknown)
        if stopped is not None:
            if not (delivered or dropped):
                raise stopped
            self._lines.warning(_PARTLY, stopped)
        return Outcome(delivered=tuple(delivered), retry=tuple(retry), dropped=dropped)

    def close(self) -> None:
        self._failover.close()

    def _round(self, commands: Sequence[Command]) -> tuple[Settled, Transient | None]:
        """What became of one round, and why there is no point in another."""
        try:
            connection = self._failover.connection()
        except Transient as error:
            return settle(commands, ()), error
        replies, lost = connection.execute([command.arguments() for command in commands])
        settled = settle(commands, replies)
        trouble = lost or (Transient(settled.refusal) if settled.refused else None)
        if trouble is None:
            self._failover.worked()
            return settled, None
        if lost is None and settled.delivered:  # some keys are refused, others are not
            self._lines.warning(_PARTLY, trouble)
            return settled, None
        return settled, Transient(f"{self._failover.failed()}: {trouble}")


def _with_keys(
    events: Iterable[Event], select: Callable[[Event], str]
) -> tuple[list[tuple[str, Event]], tuple[Drop, ...]]:
    """Each event with its key; those that have none can never be delivered."""
    keyed = []
    dropped = []
    for event in events:
        try:
            key = select(event)
        except MissingField as error:
            dropped.append(Drop(event, NO_KEY, f"the event has no field {error}"))
            continue
        if key:
            keyed.append((key, event))
        else:
            dropped.append(Drop(event, NO_KEY, "the key is empty"))
    return keyed, tuple(dropped)
