"""What an event becomes on its way to Kafka: topic, key, time. Pure."""

import re
from collections.abc import Callable, Sequence

import msgspec

from connbeat.model.batches import Drop, Event
from connbeat.model.format_strings import FormatString, MissingField

NO_TOPIC = "no_topic"
INVALID_TOPIC = "invalid_topic"

#: Kafka's own rule, org.apache.kafka.common.internals.Topic.
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}", re.ASCII)


class Message(msgspec.Struct, frozen=True, gc=False):
    """An event with its address. `key` None is a message without a key."""

    event: Event
    topic: str
    key: bytes | None


def is_topic(name: str) -> bool:
    return name not in (".", "..") and _TOPIC.fullmatch(name) is not None


def key_of(key: FormatString | None, hostname: str) -> FormatString:
    """Without another choice the host: so its events stay in order, in one partition."""
    if key is not None:
        return key
    return FormatString.parse("".join(f"\\{letter}" for letter in hostname))  # as it stands


def address(
    events: Sequence[Event], select_topic: Callable[[Event], str], key: FormatString
) -> tuple[list[Message], list[Drop]]:
    """The messages, in their order, and the events that have nowhere to go.

    A key whose field the event lacks is no key.
    """
    messages = []
    dropped = []
    for event in events:
        try:
            topic = select_topic(event)
        except MissingField as missing:
            dropped.append(Drop(event, NO_TOPIC, f"the event has no {missing}"))
            continue
        if is_topic(topic):
            messages.append(Message(event, topic, _render(key, event)))
        else:
            reason = INVALID_TOPIC if topic else NO_TOPIC
            dropped.append(Drop(event, reason, f"the topic would be {topic!r}"))
    return messages, dropped


def _render(key: FormatString, event: Event) -> bytes | None:
    try:
        return key.render(event).encode() or None
    except MissingField:
        return None
