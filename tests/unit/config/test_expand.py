from collections.abc import Mapping

import pytest

from connbeat.config.document import parse_document
from connbeat.config.expand import expand
from connbeat.config.faults import Findings
from connbeat.config.tree import find, to_plain
from connbeat.errors import ConfigError


def expanded(text: str, environment: Mapping[str, str] = {}) -> tuple[object, tuple[str, ...]]:
    findings = Findings()
    root = expand(parse_document(text, "f.yml", findings), environment, findings)
    try:
        findings.raise_faults()
    except ConfigError as error:
        return to_plain(root), error.faults
    return to_plain(root), ()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${ENV}", 5),
        ('"${ENV}"', 5),
        ("x${ENV}", "x5"),
        ("${s.text}", "010"),
        ("${s.list}", [1, 2]),
        ("${s.list.1}", 2),
        ("${s}", {"text": "010", "list": [1, 2], "env": 5}),
        ("${s.env}", 5),
        ("${UNSET:a:b}", "a:b"),
        ("${EMPTY:3s}", "3s"),
        ("${UNSET:}", None),
        ("${UNSET:${ENV}}", 5),
        ("${ENV:+set}${UNSET:+not}", "set"),
        ("${ENV:?never}", 5),
        ("${${NAME}}", 5),
        ("http://${UNSET:${HOST:localhost}}:9200", "http://localhost:9200"),
        ("$${ENV} ${ENV}", "${ENV} 5"),
        ("pa$word", "pa$word"),
        ("${nothing}", 7),
    ],
)
def test_a_reference_is_a_setting_or_an_environment_variable(text: str, value: object) -> None:
    document = f"s: {{text: '010', list: [1, 2], env: '${{ENV}}'}}\nnothing:\na: {text}\n"
    environment = {"ENV": "5", "EMPTY": "", "NAME": "ENV", "s.text": "hidden", "nothing": "7"}

    root, faults = expanded(document, environment)

    assert faults == ()
    assert isinstance(root, dict)
    assert root["a"] == value


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "a: ${X}",
            (
                "f.yml:1: a: ${X} is neither a setting nor an environment variable;"
                " ${X:something} would give it a default"
            ),
        ),
        ("a: ${X:?give X}", "f.yml:1: a: give X"),
        ("a: ${X:?}", "f.yml:1: a: ${X} is not set"),
        ("a: ${a}", "f.yml:1: a: refers to itself: a -> a"),
        ("a: ${b}\nb: ${a}", "f.yml:2: b: refers to itself: a -> b -> a"),
        ("a: {b: '${a}'}", "f.yml:1: a.b: refers to itself: a.b -> a.b"),
        ("a: ${BAD}", "f.yml:1: a: the environment variable BAD is not valid UTF-8"),
        (
            "a: x${b}\nb: []",
            "f.yml:1: a: a reference inside a text stands for a list or section, expected a value",
        ),
    ],
)
def test_what_cannot_be_resolved_is_told_once_at_its_place(text: str, fault: str) -> None:
    assert expanded(text, {"BAD": "\udcff"})[1] == (fault,)


def test_who_refers_to_a_broken_setting_does_not_repeat_its_fault() -> None:
    root, faults = expanded("a: ${b}\nb: ${X}\nc: ${a}")
    assert root == {"a": None, "b": None, "c": None}
    assert [fault.split(":")[:3] for fault in faults] == [["f.yml", "2", " b"]]


def test_text_that_doubles_line_by_line_ends() -> None:
    lines = ["a0: xxxxxxxx"] + [f"a{i}: ${{a{i - 1}}}${{a{i - 1}}}" for i in range(1, 40)]
    assert expanded("\n".join(lines))[1] == ("f.yml:15: a14: longer than 65536 characters",)


def test_lists_that_double_line_by_line_end() -> None:
    lines = ["a0: [1]"] + [f"a{i}: ['${{a{i - 1}}}', '${{a{i - 1}}}']" for i in range(1, 40)]
    assert "references copy too much" in expanded("\n".join(lines))[1][0]


def test_a_long_chain_of_references_ends() -> None:
    lines = [f"a{i}: ${{a{i + 1}}}" for i in range(2000)]
    assert "a chain of more than 30 references" in expanded("\n".join(lines))[1][0]


def test_a_value_keeps_the_place_where_it_is_used() -> None:
    findings = Findings()
    root = expand(parse_document("a: 1\nb: ${a}", "f.yml", findings), {}, findings)
    node = find(root, "b")
    assert node is not None
    assert (node.value, node.place.line) == (1, 2)
