import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.model.documents import decode_document, field_getter, field_value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a", {"b": {"c": 1}, "x.y": 2}),
        ("a.b.c", 1),
        ("a.x.y", 2),
        ("t.u", 3),
        ("a.b.c.d", None),
        ("a.n", None),
        ("n", None),
        ("", None),
    ],
)
def test_a_field_is_found_by_its_dotted_name(name: str, value: object) -> None:
    document = {"a": {"b": {"c": 1}, "x.y": 2}, "t.u": 3, "t": {"u": 4}}
    assert field_value(document, name) == value
    assert field_getter(name)(document) == value


@pytest.mark.parametrize("body", [b"", b"[1]", b"1", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_document_is_none(body: bytes) -> None:
    assert decode_document(body) is None


@given(
    st.recursive(st.integers(), lambda inner: st.dictionaries(st.text("ab."), inner)),
    st.text("ab."),
)
def test_any_name_may_be_asked_of_any_document_once_or_often(document: object, name: str) -> None:
    if isinstance(document, dict):
        assert field_getter(name)(document) == field_value(document, name)
