"""What librdkafka says of messages and of itself, and what follows from it. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from connbeat.model.batches import Drop, Event, Outcome
from connbeat.outputs.kafka.topics import INVALID_TOPIC, Message

TOO_LARGE = "too_large"
REFUSED = "refused"

FATAL = "_FATAL"
#: Ours: librdkafka's buffer is smaller than the message.
NO_ROOM = "no_room"
#: A neighbour in the request was refused, and the broker said which one.
_INNOCENT = "_INVALID_DIFFERENT_RECORD"
_ALL_DOWN = "_ALL_BROKERS_DOWN"

#: The event's own fault: it would be refused for ever. By librdkafka's name of the error. A broker
#: says so of a whole request, of which one message may be to blame.
_PERMANENT = {
    "MSG_SIZE_TOO_LARGE": TOO_LARGE,
    "RECORD_LIST_TOO_LARGE": TOO_LARGE,
    NO_ROOM: TOO_LARGE,
    "INVALID_RECORD": REFUSED,  # a compacted topic wants keys
    "INVALID_MSG": REFUSED,
    "INVALID_TIMESTAMP": REFUSED,  # our clock and the broker's are hours apart
    "TOPIC_EXCEPTION": INVALID_TOPIC,
}
#: Refused before anything was stored, for a reason that somebody can mend.
_NOT_STORED = frozenset({
    "TOPIC_AUTHORIZATION_FAILED",
    "CLUSTER_AUTHORIZATION_FAILED",
    "UNKNOWN_TOPIC_OR_PART",
    "_UNKNOWN_TOPIC",
    "_UNKNOWN_PARTITION",
    "POLICY_VIOLATION",
    "INVALID_REQUIRED_ACKS",
    "UNSUPPORTED_FOR_MESSAGE_FORMAT",
    "NOT_ENOUGH_REPLICAS",
    _INNOCENT,
})  # fmt: skip


class ReportedError(Protocol):
    """The client's KafkaError, as far as it is needed."""

    def name(self) -> str: ...

    def str(self) -> str: ...


class Failure(msgspec.Struct, frozen=True, gc=False):
    """Why a message did not arrive; `is_local`: it was refused before it was sent."""

    name: str
    text: str
    is_local: bool = False


#: No answer came, and none will: the producer was given up.
UNANSWERED = Failure("", "no answer came before the producer ended")


class Reports:
    """The answers to one round of messages. `note` is called by librdkafka, in `poll`."""

    def __init__(self, count: int) -> None:
        self.open = count
        self._failures: dict[int, Failure] = {}
        self._answered = bytearray(count)

    def note(self, index: int, error: ReportedError | None, _: object = None) -> None:
        if error is not None:
            self._failures[index] = Failure(error.name(), error.str())
        self._answered[index] = 1
        self.open -= 1

    def refuse(self, index: int, failure: Failure) -> None:
        """The client itself would not take the message."""
        self._failures[index] = failure
        self._answered[index] = 1
        self.open -= 1

    def failure(self, index: int) -> Failure | None:
        if not self._answered[index]:
            return UNANSWERED
        return self._failures.get(index)


class Verdicts:
    """What became of a batch, over all rounds. What it was told nothing of is to be retried."""

    def __init__(self) -> None:
        self._delivered: set[str] = set()
        self._drops: dict[str, Drop] = {}
        self._retries: dict[str, Failure] = {}

    def drop(self, drops: Iterable[Drop]) -> None:
        self._drops |= {drop.event.id: drop for drop in drops}

    def take(self, messages: Sequence[Message], reports: Reports) -> list[list[Message]]:
        """The answers to a round. Gives back the smaller rounds that find out who is to blame."""
        suspects = []
        innocents = []
        for index, message in enumerate(messages):
            failure = reports.failure(index)
            if failure is None:
                self._delivered.add(message.event.id)
            elif len(messages) > 1 and _may_be_another(failure):
                suspects.append(message)
            elif reason := _PERMANENT.get(failure.name):
                self._drops[message.event.id] = Drop(message.event, reason, failure.text)
            else:
                self._retries[message.event.id] = failure
                if failure.name == _INNOCENT:
                    innocents.append(message)
        if not suspects:
            return []
        for message in innocents:
            del self._retries[message.event.id]
        return [part for part in (innocents, *_halves(suspects)) if part]

    @property
    def doubtful(self) -> int:
        """How many are to be sent again although they may have arrived."""
        return sum(
            not failure.is_local and failure.name not in _NOT_STORED
            for failure in self._retries.values()
        )

    @property
    def why_retried(self) -> str:
        """The error that most of them had; "" if none is to be sent again."""
        counts = Counter(failure.text for failure in self._retries.values())
        return counts.most_common(1)[0][0] if counts else ""

    def outcome(self, events: Sequence[Event]) -> Outcome:
        return Outcome(
            delivered=tuple(event for event in events if event.id in self._delivered),
            retry=tuple(
                event
                for event in events
                if event.id not in self._delivered and event.id not in self._drops
            ),
            dropped=tuple(self._drops[event.id] for event in events if event.id in self._drops),
        )


def _may_be_another(failure: Failure) -> bool:
    """Whether the message may be refused for a neighbour in its request."""
    return not failure.is_local and _PERMANENT.get(failure.name, INVALID_TOPIC) != INVALID_TOPIC


def _halves(messages: list[Message]) -> tuple[list[Message], list[Message]]:
    middle = (len(messages) + 1) // 2
    return messages[:middle], messages[middle:]


class Trouble:
    """What the producer complained of since it was last well. `note` is called in `poll`."""

    def __init__(self) -> None:
        self.text = ""
        self.is_fatal = False
        self.are_all_down = False

    def note(self, error: ReportedError) -> None:
        name = error.name()
        self.is_fatal |= name == FATAL
        self.are_all_down |= name == _ALL_DOWN
        if name != _ALL_DOWN or not self.text:  # which says less than the error before it
            self.text = error.str()

    def clear(self) -> None:
        """For what a producer can recover from; a fatal error stays."""
        self.are_all_down = False
        if not self.is_fatal:
            self.text = ""
