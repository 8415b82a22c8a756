from collections.abc import Sequence
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.errors import Transient
from connbeat.model.batches import Drop, Event, Outcome
from connbeat.outputs.elasticsearch.bulk import (
    MALFORMED,
    OVERLOADED_SECONDS,
    REFUSED,
    Action,
    Encoder,
    Target,
    body_of,
    dead_letter,
    describe,
    describe_body,
    is_sendable,
    portions,
    read_answer,
)
from tests.deliveries import event, events, ids


def item(id_: str | None, status: object, error: object = None) -> dict[str, object]:
    result: dict[str, object] = {"status": status}
    if id_ is not None:
        result["_id"] = id_
    if error is not None:
        result["error"] = error
    return {"create": result}


def answer(*items: object) -> bytes:
    return msgspec.json.encode({"errors": True, "items": items})


def named(outcome: Outcome) -> list[str]:
    return sorted(ids((*outcome.delivered, *outcome.retry, *(d.event for d in outcome.dropped))))


def test_an_event_is_two_lines_with_its_body_as_it_is() -> None:
    body = b'{"a" : 1.0,"\xc3\xa9":"\\u00e9"}'
    lines = Encoder().action(Event("id", 0, body), Target("day")).lines
    assert lines == b'{"create":{"_index":"day","_id":"id"}}\n' + body + b"\n"


def test_a_pipeline_stands_with_the_index() -> None:
    lines = Encoder().action(event(1), Target("day", "p")).lines
    assert lines.startswith(b'{"create":{"_index":"day","pipeline":"p","_id":"e1"}}\n')


@given(st.text(), st.text(), st.text())
def test_names_cannot_break_out_of_their_line(index: str, pipeline: str, id_: str) -> None:
    encoder = Encoder()
    for _ in range(2):  # the second time from memory
        line, body, rest = encoder.action(
            Event(id_, 0, b"{}"), Target(index, pipeline)
        ).lines.split(b"\n")
        meta = msgspec.json.decode(line)["create"]
        assert (meta["_index"], meta["_id"], body, rest) == (index, id_, b"{}", b"")
        assert meta.get("pipeline", "") == pipeline


def test_indices_that_never_repeat_do_not_fill_the_memory() -> None:
    encoder = Encoder()
    for number in range(5000):
        encoder.action(event(number), Target(f"index-{number}"))
    assert len(encoder._beginnings) <= 1000


@pytest.mark.parametrize("body", [b"", b"x", b"[1]", b'{"a":1}\n{"b":2}', b'{\r"a":1}', b'{"a":1'])
def test_what_would_break_the_request_of_others_is_not_sendable(body: bytes) -> None:
    assert not is_sendable(Event("e", 0, body))


def test_a_document_on_one_line_is_sendable() -> None:
    assert is_sendable(event(1))


@given(st.lists(st.integers(1, 40)), st.integers(1, 100))
def test_portions_keep_all_in_order_and_are_as_large_as_they_may_be(
    sizes: list[int], most: int
) -> None:
    actions = [Action(event(number), b"x" * size) for number, size in enumerate(sizes)]
    parts = list(portions(actions, most))
    assert [one for part in parts for one in part] == actions
    for part in parts:
        assert len(part) == 1 or len(body_of(part)) <= most
    for part, after in pairwise(parts):
        assert len(body_of(part)) + len(after[0].lines) > most


@pytest.mark.parametrize("status", [200, 201, 409])
def test_what_is_stored_now_or_was_before_is_delivered(status: int) -> None:
    sent = events(1)
    assert read_answer(sent, answer(item("e0", status))).outcome == Outcome(delivered=sent)


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 503, 302, 0])
def test_what_is_not_the_events_fault_is_retried(status: int) -> None:
    found = read_answer(events(1), answer(item("e0", status)))
    assert ids(found.outcome.retry) == ["e0"]
    assert found.trouble


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_the_cluster_will_never_take_is_dropped_with_its_words(status: int) -> None:
    error = {
        "type": "document_parsing_exception",
        "reason": "[1:5] failed to parse",
        "caused_by": {"type": "illegal_argument_exception", "reason": "For input string: x"},
    }
    (drop,) = read_answer(events(1), answer(item("e0", status, error))).outcome.dropped
    assert drop == Drop(
        event(0),
        REFUSED,
        f"{status} document_parsing_exception: [1:5] failed to parse"
        " (illegal_argument_exception: For input string: x)",
    )


def test_each_event_of_a_mixed_answer_gets_its_own() -> None:
    found = read_answer(
        events(4), answer(item("e0", 201), item("e1", 429), item("e2", 400), item("e3", 409))
    )
    assert ids(found.outcome.delivered) == ["e0", "e3"]
    assert ids(found.outcome.retry) == ["e1"]
    assert ids(drop.event for drop in found.outcome.dropped) == ["e2"]
    assert found.trouble == "429"


def test_only_an_overloaded_cluster_asks_for_a_pause() -> None:
    overloaded = read_answer(events(2), answer(item("e0", 201), item("e1", 429)))
    assert overloaded.outcome.retry_after_seconds == OVERLOADED_SECONDS
    failing = read_answer(events(2), answer(item("e0", 201), item("e1", 503)))
    assert failing.outcome.retry_after_seconds == 0.0


def test_events_that_the_answer_does_not_name_are_retried() -> None:
    found = read_answer(events(3), answer(item("e2", 201)))
    assert ids(found.outcome.delivered) == ["e2"]
    assert ids(found.outcome.retry) == ["e0", "e1"]
    assert found.trouble == "the answer does not name every event"


def test_items_in_another_order_find_their_events() -> None:
    found = read_answer(events(2), answer(item("e1", 201), item("e0", 400)))
    assert ids(found.outcome.delivered) == ["e1"]
    assert ids(drop.event for drop in found.outcome.dropped) == ["e0"]


def test_items_without_ids_count_by_their_place() -> None:
    found = read_answer(events(2), answer(item(None, 201), item(None, 503)))
    assert (ids(found.outcome.delivered), ids(found.outcome.retry)) == (["e0"], ["e1"])


def test_too_few_items_without_ids_say_nothing() -> None:
    assert read_answer(events(2), answer(item(None, 201))).outcome == Outcome(retry=events(2))


@pytest.mark.parametrize("body", [b"", b"<html>log in</html>", b"[]", b'{"items":1}', b"[" * 2000])
def test_what_is_no_answer_to_a_bulk_request_says_nothing(body: bytes) -> None:
    with pytest.raises(Transient, match="not an answer to a bulk request"):
        read_answer(events(1), body)


_STATUS = st.integers(-1, 700) | st.sampled_from([200, 201, 400, 409, 429, 503]) | st.none()
_ERROR = st.recursive(
    st.none() | st.text() | st.integers(),
    lambda inner: st.dictionaries(st.sampled_from(["type", "reason", "caused_by"]), inner),
)
_ITEMS = st.lists(
    st.builds(item, st.sampled_from(["e0", "e1", "e2", "e9", None]), _STATUS, _ERROR)
    | st.just({})
    | st.just("item"),
    max_size=6,
)


@given(st.integers(0, 4), _ITEMS | st.binary() | st.text())
def test_whatever_is_answered_every_event_is_named_once(
    count: int, items: Sequence[object]
) -> None:
    sent = events(count)
    body = items if isinstance(items, bytes) else answer(*items)
    try:
        found = read_answer(sent, body)
    except Transient:
        return
    assert named(found.outcome) == ids(sent)
    assert bool(found.trouble) == bool(found.outcome.retry)


def test_errors_are_told_in_one_line_however_they_look() -> None:
    assert describe(400, None) == "400"
    assert describe(400, "plain words") == "400 plain words"
    assert describe(400, {"reason": "r"}) == "400 r"
    assert len(describe(400, "x" * 10_000)) == 2000
    assert describe_body(503, b"<html>busy") == "503 <html>busy"
    assert describe_body(401, b'{"error":{"type":"security_exception","reason":"no"}}') == (
        "401 security_exception: no"
    )
    assert describe_body(500, b"[1]") == "500 [1]"
    assert describe_body(502, b"") == "502"


def test_a_dead_letter_has_the_event_as_text_and_the_error() -> None:
    letter = dead_letter(Drop(Event("e", 1_500_000_000, b'{"a":\xff}'), MALFORMED, "400 why"))
    assert (letter.id, letter.timestamp_ns) == ("e", 1_500_000_000)
    assert msgspec.json.decode(letter.body) == {
        "@timestamp": 1500,
        "message": '{"a":\ufffd}',
        "error": {"type": "malformed", "message": "400 why"},
    }
