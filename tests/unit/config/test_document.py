import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from connbeat.config import document
from connbeat.config.document import parse_document, parse_value, write_document
from connbeat.config.faults import Findings
from connbeat.config.tree import Node, Place, find, to_plain
from connbeat.errors import ConfigError


def faults_of(findings: Findings) -> tuple[str, ...]:
    try:
        findings.raise_faults()
    except ConfigError as error:
        return error.faults
    return ()


def parsed(text: str) -> tuple[object, tuple[str, ...]]:
    findings = Findings()
    node = parse_document(text, "f.yml", findings)
    return to_plain(node), faults_of(findings)


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def _either_loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a wheel has no libyaml, the parser written in Python has to do the same."""
    if not hasattr(yaml, request.param):
        pytest.skip("this PyYAML has no libyaml")
    monkeypatch.setattr(document, "_LOADER", getattr(yaml, request.param))


@pytest.mark.usefixtures("_either_loader")
@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", {}),
        ("# nothing\n", {}),
        ("~", {}),
        ("a.b: 1\na:\n  c: 2", {"a": {"b": 1, "c": 2}}),
        ("a: {b.c: {d: 1}}", {"a": {"b": {"c": {"d": 1}}}}),
        ("a:\na.b: 1", {"a": {"b": 1}}),
        ("a: [1, {b.c: on}, [x]]", {"a": [1, {"b": {"c": True}}, ["x"]]}),
        ("on: 1\n2x: 2\n~: 3", {"on": 1, "2x": 2, "~": 3}),
        (
            'a: "1"\nb: \'yes\'\nc: !!str 1\nd: !!int "1"',
            {"a": "1", "b": "yes", "c": "1", "d": 1},
        ),
        (
            "a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}",
            {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}},
        ),
        ("a: {<<: [{b: 1}, {b: 2, c: 3}], c: 4}", {"a": {"b": 1, "c": 4}}),
        ('a: {"<<": 1}', {"a": {"<<": 1}}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("\ufeffa: 1", {"a": 1}),
    ],
)
def test_yaml_becomes_a_tree(text: str, tree: object) -> None:
    assert parsed(text) == (tree, ())


@pytest.mark.usefixtures("_either_loader")
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 1\na: 2", "f.yml:2: a: is there twice, first at f.yml:1"),
        ("a.b: 1\na: {b: 2}", "f.yml:2: a.b: is there twice, first at f.yml:1"),
        ("a: {}\na: {}", "f.yml:2: a: is there twice, first at f.yml:1"),
        ("x:\n- a: 1\n  a: 2", "f.yml:3: x.0.a: is there twice, first at f.yml:2"),
        ("a:\n  <<: 1", "f.yml:2: a: << expects a section or a list of sections"),
        ("a: !!set {b}", "f.yml:1: a: found the tag !!set, expected a plain value"),
        ("a: *b", "f.yml:1: a: found *b, expected the name of an anchor (&name) above it"),
        ("a: " + "[" * 100_000, "f.yml:1: nested more than 50 levels deep"),
        (
            "a: 1\n---\nb: 1",
            "f.yml:3: a second document begins here, expected one; remove the line with ---",
        ),
    ],
)
def test_what_is_wrong_has_its_place(text: str, fault: str) -> None:
    assert parsed(text)[1] == (fault,)


@pytest.mark.usefixtures("_either_loader")
@pytest.mark.parametrize(
    "text", ["a: [1", "a: 'x", "\ta: 1", "a: b: c", "{", "a: \x01", "%YAML 9", "a: \ud800"]
)
def test_what_is_no_yaml_is_one_fault_with_a_line_of_the_file(text: str) -> None:
    tree, faults = parsed(text)
    assert tree == {}
    assert len(faults) == 1
    assert faults[0].startswith("f.yml:1: not YAML: ")


@pytest.mark.usefixtures("_either_loader")
@given(st.text(), st.text(alphabet="ab:.-[]{}&*!|>'\"#%@`~<?, \n\t", max_size=60))
def test_any_text_is_a_tree_or_a_fault(anything: str, yamlish: str) -> None:
    for text in (anything, yamlish):
        findings = Findings()
        node = parse_document(text, "f.yml", findings)
        assert isinstance(node.value, dict)


def test_every_key_knows_its_line() -> None:
    root = parse_document("a:\n  b: 1\n  c:\n  - x\n  - y\n", "f.yml", Findings())
    places = {path: find(root, path) for path in ("a", "a.b", "a.c", "a.c.1")}
    lines = [node.place.line for node in places.values() if node is not None]
    assert lines == [1, 2, 3, 5]


def test_aliases_of_aliases_end_before_they_fill_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x]"]
    lines += [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}]" for i in range(1, 30)]
    assert parsed("\n".join(lines))[1] == ("f.yml:1: more than 20000 values, counting aliases",)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a,b", "a,b"),
        ("x: y # z", "x: y # z"),
        ("5", 5),
        ("", None),
        ("[a, 5]", ["a", 5]),
        ("{a.b: on}", {"a": {"b": True}}),
        ("'5'", "5"),
    ],
)
def test_the_value_of_an_override_is_yaml_only_where_it_looks_like_it(
    text: str, value: object
) -> None:
    assert to_plain(parse_value(text, Place("-E"), "k", Findings())) == value


def test_an_override_that_is_half_a_list_is_a_fault_without_line() -> None:
    findings = Findings()
    assert parse_value("[a", Place("-E"), "k", findings) == Node(None, Place("-E"), is_broken=True)
    assert faults_of(findings)[0].startswith("-E: k: not YAML: ")


def test_what_is_written_can_be_read_again() -> None:
    data = {"a": {"b": [1, "x", None, True], "c": "é: # 'yes'"}}
    assert parsed(write_document(data)) == (data, ())
