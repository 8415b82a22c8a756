import json
from typing import Any

import pytest

from tests.unit.processors.trying import Trial, faults_of, tried

INSIDE = {"b": 1, "deep": json.dumps({"c": json.dumps({"d": 2})}), "list": "[1]"}
DOCUMENT = {"type": "connbeat", "a": json.dumps(INSIDE), "b": "old", "n": {"x": 1}}


def decoded(options: str, document: dict[str, Any] = DOCUMENT) -> Any:
    return tried(f"- decode_json_fields: {{fields: [a], {options}}}", document)


def test_a_text_becomes_what_it_says() -> None:
    assert decoded("max_depth: 1") == {**DOCUMENT, "a": INSIDE}


def test_texts_inside_as_many_levels_deep_as_one_wants() -> None:
    assert decoded("max_depth: 2")["a"]["deep"] == {"c": '{"d": 2}'}
    assert decoded("max_depth: 3")["a"]["deep"] == {"c": {"d": 2}}
    assert decoded("max_depth: 2")["a"]["list"] == "[1]"
    assert decoded("max_depth: 2, process_array: true")["a"]["list"] == [1]


def test_a_text_inside_that_only_looks_like_json_stays() -> None:
    document = {"a": '{"x": "{no", "y": "no"}'}
    assert decoded("max_depth: 3", document)["a"] == {"x": "{no", "y": "no"}


def test_lists_only_on_request() -> None:
    document = {"a": '[{"x": "{\\"y\\": 1}"}]'}
    assert decoded("max_depth: 3", document) == document
    assert decoded("max_depth: 1, process_array: true", document)["a"] == [{"x": '{"y": 1}'}]


def test_it_goes_to_a_target_or_to_the_top() -> None:
    assert decoded("target: t.u")["t"] == {"u": INSIDE}
    kept = decoded("target: ''")
    assert (kept["b"], kept["list"], kept["type"]) == ("old", "[1]", "connbeat")
    assert decoded("target: '', overwrite_keys: true")["b"] == 1
    assert decoded("target: ~") == {**DOCUMENT, "a": INSIDE}


def test_at_the_top_what_every_event_keeps_stays() -> None:
    document = {"type": "connbeat", "a": '{"type": "x", "@timestamp": "y", "n": {"z": 2}}'}
    options = "target: '', overwrite_keys: true"
    assert decoded(options, document) == {**document, "n": {"z": 2}}


def test_keys_with_dots_may_become_sections() -> None:
    document = {"a": '{"x.y": 1, "x": {"z": [{"u.v": 2}]}}'}
    assert decoded("expand_keys: true", document)["a"] == {"x": {"y": 1, "z": [{"u": {"v": 2}}]}}


@pytest.mark.parametrize("text", ["{", "", 5, "\ud800", "[" * 5000])
def test_what_is_no_json_is_a_failure_and_told_in_the_event_on_request(text: object) -> None:
    document = {"a": text, "c": '{"x": 1}'}
    trial = Trial("- decode_json_fields: {fields: [a, c], add_error_key: true}")
    result = trial(document)
    assert result["a"] == text
    assert result["c"] == {"x": 1}
    assert (result["error"]["field"], result["error"]["type"]) == ("a", "json")
    assert len(trial.accounts.failures) == 1


def test_only_an_object_can_be_merged() -> None:
    trial = Trial("- decode_json_fields: {fields: [a], target: ''}")
    assert trial({"a": "5"}) == {"a": "5"}
    assert "no JSON object" in trial.accounts.failures[0]


def test_the_id_of_an_event_is_no_option() -> None:
    assert list(faults_of("- decode_json_fields: {fields: [a], document_id: x}")) == [
        "0.decode_json_fields.document_id"
    ]
