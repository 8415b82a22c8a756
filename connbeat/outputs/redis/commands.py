"""A batch as Redis commands, in rounds: what is sent before the first reply is read. Pure."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from connbeat.model.batches import Event
from connbeat.outputs.redis.config import Datatype

# A round costs one round trip; what a round that failed half way delivered is known by command.
ROUND_BYTES = 4 * 1024 * 1024


class Command(msgspec.Struct, frozen=True):
    """RPUSH or PUBLISH: one key, and the events that stand or fall with it."""

    name: str
    key: str
    events: tuple[Event, ...]

    def arguments(self) -> tuple[str | bytes, ...]:
        return (self.name, self.key, *(event.body for event in self.events))


class Refused(msgspec.Struct, frozen=True):
    """A reply: Redis' own words why it did not do the command."""

    text: str


class Settled(msgspec.Struct, frozen=True):
    """What became of a round. `unknown` had no reply: they may have been done or not."""

    delivered: tuple[Event, ...]
    refused: tuple[Event, ...]
    unknown: tuple[Event, ...]
    refusal: str


def plan_rounds(
    keyed: Iterable[tuple[str, Event]], datatype: Datatype, *, max_bytes: int = ROUND_BYTES
) -> Iterator[tuple[Command, ...]]:
    """The events of a key stay in their order. Only a single event may exceed `max_bytes`."""
    chunk: list[tuple[str, Event]] = []
    size = 0
    for key, event in keyed:
        if chunk and size + event.size_bytes > max_bytes:
            yield _round(chunk, datatype)
            chunk, size = [], 0
        chunk.append((key, event))
        size += event.size_bytes
    if chunk:
        yield _round(chunk, datatype)


def settle(commands: Sequence[Command], replies: Sequence[object]) -> Settled:
    """Replies come in the order of the commands; some may be missing at the end."""
    delivered: list[Event] = []
    refused: list[Event] = []
    refusal = ""
    for command, reply in zip(commands, replies, strict=False):
        if isinstance(reply, Refused):
            refused += command.events
            refusal = refusal or f"{command.name} {command.key}: {reply.text}"
        else:
            delivered += command.events
    unknown = [event for command in commands[len(replies) :] for event in command.events]
    return Settled(tuple(delivered), tuple(refused), tuple(unknown), refusal)


def _round(chunk: list[tuple[str, Event]], datatype: Datatype) -> tuple[Command, ...]:
    if datatype == "channel":
        return tuple(Command("PUBLISH", key, (event,)) for key, event in chunk)
    by_key: dict[str, list[Event]] = {}
    for key, event in chunk:
        by_key.setdefault(key, []).append(event)
    return tuple(Command("RPUSH", key, tuple(events)) for key, events in by_key.items())
