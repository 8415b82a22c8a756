import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.config.template import Pieces, Reference, TemplateError, parse_template


def reference(name: str, operator: str = "", *rest: str | Reference) -> Reference:
    return Reference((name,), operator, rest)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", ("",)),
        ("pa$$word$", ("pa$$word$",)),
        ("$}", ("$}",)),
        ("${A}", (reference("A"),)),
        ("a${B}c", ("a", reference("B"), "c")),
        ("${a.b:c:d}", (reference("a.b", ":", "c:d"),)),
        ("${A:}", (reference("A", ":"),)),
        ("${A:+b}", (reference("A", ":+", "b"),)),
        ("${A:?not set}", (reference("A", ":?", "not set"),)),
        ("${A:{x: 1$}}", (reference("A", ":", "{x: 1}"),)),
        ("${A:${B:c}}", (reference("A", ":", reference("B", ":", "c")),)),
        ("${${A}.b}", (Reference((reference("A"), ".b"), "", ()),)),
        ("$${A} ${B}", ("${A} ", reference("B"))),
        ("${A}$", (reference("A"), "$")),
        ("${A} $} }", (reference("A"), " $} }")),
    ],
)
def test_a_template_is_text_and_references(text: str, pieces: Pieces) -> None:
    assert parse_template(text) == pieces


@pytest.mark.parametrize("text", ["${", "${A", "${A:", "${A:${B}", "${}", "${:x}", "${A:" * 30])
def test_half_a_reference_is_an_error(text: str) -> None:
    with pytest.raises(TemplateError):
        parse_template(text)


@given(st.text(alphabet="${}:+?ab.", max_size=60))
def test_any_text_is_a_template_or_a_template_error(text: str) -> None:
    try:
        pieces = parse_template(text)
    except TemplateError:
        pieces = ("${",)
    assert pieces == (text,) or "${" in text
