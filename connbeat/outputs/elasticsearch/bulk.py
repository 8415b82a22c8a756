"""Bulk requests: NDJSON from encoded events, and from the answer the outcome. Pure.

A request is two lines an event: what to do with it, and the event's body as it is::

    {"create":{"_index":"connbeat-2026.11.23","_id":"..."}}
    {"@timestamp":...}

The answer has one item an event. HTTP says 200 however many of them failed.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from connbeat.errors import Transient
from connbeat.model.batches import Drop, Event, Outcome

#: All that is read of an answer: a tenth of what there would be.
FILTER_PATH = "items.*._id,items.*.status,items.*.error"

REFUSED = "refused"
TOO_LARGE = "too_large"
MALFORMED = "malformed"
NO_INDEX = "no_index"
IN_DEAD_LETTER_INDEX = "dead_letter_index"

# A cluster that is overloaded says so with 429, and is over it in less than a second.
OVERLOADED_SECONDS = 0.25

_TOO_MANY_REQUESTS = 429
_THERE_ALREADY = 409
# What is about the cluster and not about the event: rights and indices that somebody can mend.
_MENDABLE = frozenset((401, 403, 404, 408, _TOO_MANY_REQUESTS))
_LONGEST_DETAIL = 2000
# An index named after something that never repeats must not fill the memory.
_MOST_BEGINNINGS = 1000


class Target(msgspec.Struct, frozen=True, gc=False):
    """Where an event goes; `pipeline` "" is none."""

    index: str
    pipeline: str = ""


class Action(msgspec.Struct, frozen=True, gc=False):
    """One event as two lines of a request."""

    event: Event
    lines: bytes


class BulkOutcome(msgspec.Struct, frozen=True, gc=False):
    """What became of the events, and why the first of those that are retried is."""

    outcome: Outcome
    trouble: str = ""


class _Result(msgspec.Struct, frozen=True, gc=False):
    id: str | None = msgspec.field(name="_id", default=None)
    status: int = 0
    error: Any = None


class _Answer(msgspec.Struct, frozen=True, gc=False):
    items: list[dict[str, _Result]] = []


_NOT_NAMED = _Result()
_encode = msgspec.json.encode
_decoder = msgspec.json.Decoder(_Answer)


class Encoder:
    """Events to actions. One thread owns it: it remembers the beginnings of lines."""

    def __init__(self) -> None:
        self._beginnings: dict[Target, bytes] = {}

    def action(self, event: Event, target: Target) -> Action:
        beginning = self._beginnings.get(target) or self._begin(target)
        return Action(event, b"%b%b}}\n%b\n" % (beginning, _encode(event.id), event.body))

    def _begin(self, target: Target) -> bytes:
        if len(self._beginnings) >= _MOST_BEGINNINGS:
            self._beginnings.clear()
        pipeline = b',"pipeline":' + _encode(target.pipeline) if target.pipeline else b""
        line = b'{"create":{"_index":%b%b,"_id":' % (_encode(target.index), pipeline)
        return self._beginnings.setdefault(target, line)


def is_sendable(event: Event) -> bool:
    """Whether its body is one line with an object: anything else breaks a request for all."""
    body = event.body
    return body.startswith(b"{") and body.endswith(b"}") and b"\n" not in body and b"\r" not in body


def portions(actions: Sequence[Action], max_bytes: int) -> Iterator[Sequence[Action]]:
    """In their order, as many at once as fit; what is too large by itself stands alone."""
    begin = size = 0
    for at, action in enumerate(actions):
        if size and size + len(action.lines) > max_bytes:
            yield actions[begin:at]
            begin, size = at, 0
        size += len(action.lines)
    if begin < len(actions):
        yield actions[begin:]


def body_of(actions: Sequence[Action]) -> bytes:
    return b"".join([action.lines for action in actions])


def dead_letter(drop: Drop) -> Event:
    """The event that tells of one that was refused: its body as text, which nothing can refuse."""
    document = {
        "@timestamp": drop.event.timestamp_ns // 1_000_000,
        "message": drop.event.body.decode(errors="replace"),
        "error": {"type": drop.reason, "message": drop.detail},
    }
    return Event(drop.event.id, drop.event.timestamp_ns, _encode(document))


def read_answer(events: Sequence[Event], answer: bytes) -> BulkOutcome:
    """What became of the events; those that the answer does not name are retried.

    Raises Transient if it is no answer to a bulk request at all.
    """
    delivered: list[Event] = []
    retry: list[Event] = []
    dropped: list[Drop] = []
    failure: _Result | None = None
    is_overloaded = False
    for event, result in zip(events, _matched(events, _results(answer)), strict=True):
        status = result.status
        if 200 <= status < 300 or status == _THERE_ALREADY:
            delivered.append(event)
        elif status in _MENDABLE or not 400 <= status < 500:
            retry.append(event)
            failure = failure or result
            is_overloaded = is_overloaded or status == _TOO_MANY_REQUESTS
        else:
            dropped.append(Drop(event, REFUSED, describe(status, result.error)))
    outcome = Outcome(
        delivered=tuple(delivered),
        retry=tuple(retry),
        dropped=tuple(dropped),
        retry_after_seconds=OVERLOADED_SECONDS if is_overloaded else 0.0,
    )
    return BulkOutcome(outcome, "" if failure is None else _trouble(failure))


def describe(status: int, error: object) -> str:
    """`400 document_parsing_exception: ... (illegal_argument_exception: ...)`."""
    return f"{status} {_words(error)}".rstrip()[:_LONGEST_DETAIL]


def describe_body(status: int, body: bytes) -> str:
    """The same for a whole answer, whose body may be anything."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return f"{status} {body[:200].decode(errors='replace')}".rstrip()
    error = document.get("error", document) if isinstance(document, dict) else document
    return describe(status, error)


def _trouble(failure: _Result) -> str:
    if failure is _NOT_NAMED:
        return "the answer does not name every event"
    return describe(failure.status, failure.error)


def _words(error: object) -> str:
    if not isinstance(error, dict):
        return str(error) if error else ""
    text = ": ".join(str(error[key]) for key in ("type", "reason") if error.get(key))
    cause = _words(error.get("caused_by"))
    return f"{text} ({cause})" if cause else text


def _results(answer: bytes) -> list[_Result]:
    try:
        items = _decoder.decode(answer).items
    except (msgspec.MsgspecError, RecursionError) as error:
        shown = answer[:200].decode(errors="replace")
        raise Transient(f"not an answer to a bulk request: {shown!r}") from error
    return [next(iter(item.values()), _NOT_NAMED) for item in items]


def _matched(events: Sequence[Event], results: list[_Result]) -> Sequence[_Result]:
    """The result of each event: by its place, and by its id where the places do not fit."""
    if len(results) == len(events) and all(
        result.id is None or result.id == event.id
        for event, result in zip(events, results, strict=True)
    ):
        return results
    by_id = {result.id: result for result in results}
    return [by_id.get(event.id, _NOT_NAMED) for event in events]
