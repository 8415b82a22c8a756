from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.processors.trying import EVENT, failure, faults_of, tried


def cut(text: str, limit: str) -> Any:
    return tried(f"- truncate_fields: {{fields: [a], {limit}}}", {"a": text})["a"]


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ("max_characters: 3", "aä€"),
        ("max_bytes: 3", "aä"),
        ("max_bytes: 5", "aä"),
        ("max_bytes: 6", "aä€"),
        ("max_bytes: 100", "aä€𝄞x"),
    ],
)
def test_a_text_is_cut_between_two_characters(limit: str, text: str) -> None:
    assert cut("aä€𝄞x", limit) == text


@given(st.text(max_size=20), st.integers(1, 30))
def test_what_is_left_is_a_beginning_that_fits(text: str, limit: int) -> None:
    left = cut(text, f"max_bytes: {limit}")
    assert text.startswith(left)
    assert len(left.encode()) <= limit
    assert cut(text, f"max_characters: {limit}") == text[:limit]


def test_the_time_stays_whole() -> None:
    yaml = "- truncate_fields: {fields: ['@timestamp'], max_bytes: 3}"
    assert "the time of an event" in faults_of(yaml)["0.truncate_fields.fields"]


def test_what_is_no_text_or_not_there_is_a_failure() -> None:
    assert failure("- truncate_fields: {fields: [local_port], max_bytes: 1}") == (
        "local_port is no text"
    )
    assert failure("- truncate_fields: {fields: [x], max_bytes: 1}") == "there is no field x"
    ignoring = "- truncate_fields: {fields: [x], max_bytes: 1, ignore_missing: true}"
    assert tried(ignoring) is EVENT


def test_there_is_one_limit() -> None:
    assert list(faults_of("- truncate_fields.fields: [a]")) == ["0.truncate_fields.max_bytes"]
    both = faults_of("- truncate_fields: {fields: [a], max_bytes: 1, max_characters: 1}")
    assert both == {
        "0.truncate_fields.max_bytes": "found beside max_characters, expected only one of the two"
    }
