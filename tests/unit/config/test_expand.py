from collections.abc import Mapping

import pytest

from connbeat.config.document import parse_document
from connbeat.config.expand import OpenKeystore, expand, expand_setting, no_keystore
from connbeat.config.faults import Findings
from connbeat.config.tree import find, leaves, to_plain
from connbeat.errors import ConfigError, KeystoreError


def expanded(
    text: str,
    environment: Mapping[str, str] = {},
    open_keystore: OpenKeystore = no_keystore,
) -> tuple[object, tuple[str, ...]]:
    findings = Findings()
    root = expand(parse_document(text, "f.yml", findings), environment, findings, open_keystore)
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
                "f.yml:1: a: ${X} is neither a setting, nor in the keystore, nor an environment"
                " variable; ${X:something} would give it a default"
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


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ("[a, b]", ["a", "b"], "[a, b]"),
        ("[http://a:1,http://b:2]", ["http://a:1", "http://b:2"], "[http://a:1,http://b:2]"),
        ("{a: 1, b: [x]}", {"a": 1, "b": ["x"]}, "{a: 1, b: [x]}"),
        ('{"a": {"b": true}}', {"a": {"b": True}}, '{"a": {"b": true}}'),
        ("a,b", "a,b", "a,b"),
        ("[a", "[a", "[a"),
        ("{a]", "{a]", "{a]"),
        ("[a}b]", "[a}b]", "[a}b]"),
        ("[!x y]", "[!x y]", "[!x y]"),
    ],
)
def test_a_variable_is_a_list_or_section_and_still_the_text_that_it_is(
    variable: str, value: object, text: str
) -> None:
    findings = Findings()
    root = parse_document("a: ${X}\nb: p${X}s", "f.yml", findings)
    root = expand(root, {"X": variable}, findings)
    node = find(root, "a")
    assert not findings.has_faults
    assert node is not None
    assert (to_plain(node), node.text, node.has_text) == (value, text, True)
    assert to_plain(root) == {"a": value, "b": f"p{variable}s"}
    assert {leaf.place.line for _, leaf in leaves(node)} == {1}


def secrets(keystore_path: str, path_data: str) -> Mapping[str, str]:
    return {"X": "from keystore", "s.x": "hidden", "where": f"{keystore_path}|{path_data}"}


def test_settings_come_before_the_keystore_and_that_before_the_environment() -> None:
    text = "s: {x: setting, e: ''}\na: ['${s.x}', '${X}', '${Y}', '${where}', '${s.e:none}']"
    text += "\npath: {home: /h, data: '${path.home}/d'}\nkeystore.path: k"
    root, faults = expanded(text, {"X": "environment", "Y": "environment"}, secrets)
    assert faults == ()
    assert isinstance(root, dict)
    assert root["a"] == ["setting", "from keystore", "environment", "k|/h/d", "none"]


def test_a_secret_is_taken_as_it_is() -> None:
    root, _ = expanded("a: ${X}", {}, lambda *_: {"X": "[1, 2]"})
    assert root == {"a": "[1, 2]"}
    root, _ = expanded("a: ${X}", {}, lambda *_: {"X": "007"})
    assert root == {"a": "007"}


def test_what_leads_to_the_keystore_is_not_looked_up_in_it() -> None:
    root, faults = expanded(
        "path.data: ${X:plain}\nkeystore.path: ${s}\ns: ${X:y}\na: ${where}", {}, secrets
    )
    assert faults == ()
    assert root == {
        "path": {"data": "plain"}, "keystore": {"path": "y"}, "s": "y", "a": "y|plain",
    }  # fmt: skip


def test_a_keystore_that_cannot_be_opened_is_told_once_where_it_was_needed() -> None:
    calls = []

    def closed(*settings: str) -> Mapping[str, str]:
        calls.append(settings)
        raise KeystoreError("the keystore is shut")

    assert expanded("a: 1\nb: ${a}", {}, closed)[1] == ()
    root, faults = expanded("a: ${X:1}\nb: ${Y:2}", {}, closed)
    assert faults == ("f.yml:1: a: the keystore is shut",)
    assert root == {"a": None, "b": 2}
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("text", "is_secret"),
    [
        ("${X}", True),
        ("x${X}y", True),
        ("${UNSET:${X}}", True),
        ("${X:+other}", False),
        ("${output.http.password}", True),
        ("${output.http}", False),
        ("${output.http.hosts}", False),
        ("${DB_PASSWORD}", True),
        ("${HOME}", False),
        ("plain", False),
    ],
)
def test_what_is_made_of_a_secret_is_one(text: str, is_secret: bool) -> None:
    findings = Findings()
    root = parse_document(f"output.http: {{password: p, hosts: [h]}}\na: {text}", "f.yml", findings)
    root = expand(root, {"DB_PASSWORD": "p", "HOME": "/"}, findings, lambda *_: {"X": "hunter2"})
    node = find(root, "a")
    assert node is not None
    assert node.is_secret is is_secret


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("${${X}}", "${...} is neither a setting"),
        ("${${X}:?}", "${...} is not set"),
        ("${Y:?${X}}", "${Y} is not set"),
    ],
)
def test_a_fault_does_not_quote_a_secret(text: str, fault: str) -> None:
    _, faults = expanded(f"a: {text}", {}, lambda *_: {"X": "hunter2"})
    assert "hunter2" not in faults[0]
    assert fault in faults[0]


def test_one_setting_can_be_had_alone() -> None:
    findings = Findings()
    root = parse_document("a: ${b}/x\nb: ${H}\nc: ${UNSET}", "f.yml", findings)
    assert expand_setting(root, "a", {"H": "/h"}, findings) == "/h/x"
    assert expand_setting(root, "d", {}, findings) == ""
    assert not findings.has_faults
