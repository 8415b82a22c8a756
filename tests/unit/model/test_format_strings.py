import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.model.batches import Event
from connbeat.model.format_strings import FormatString, MissingField

BODY = (
    b'{"beat":{"name":"h1"},"local_port":80,"ok":true,"l":[1],"e":"",'
    b'"container":{"labels":{"com.x":"y"}}}'
)
EVENT = Event("id", 1_795_428_002_123_000_000, BODY)


def render(text: str, event: Event = EVENT) -> str:
    return FormatString.parse(text).render(event)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", ""),
        ("plain", "plain"),
        ("100% sure }", "100% sure }"),
        ("connbeat-%{+yyyy.MM.dd}", "connbeat-2026.11.23"),
        ("%{[beat.name]}", "h1"),
        ("%{[beat][name]}-%{[local_port]}-%{[ok]}", "h1-80-true"),
        ("%{[container.labels.com.x]}", "y"),
        ("%{[nothing]:other}", "other"),
        ("%{[nothing]:}", ""),
        ("%{[e]:other}", ""),
        ("%{[l]:no list}", "no list"),
        ("%{[a]:x:y}", "x:y"),
        (r"\%{[beat.name]} \\ \x", "%{[beat.name]} \\ x"),
        ("a\\", "a\\"),
    ],
)
def test_it_is_rendered_as_libbeat_renders_it(text: str, result: str) -> None:
    assert render(text) == result


@pytest.mark.parametrize("text", ["%{[nothing]}", "%{[l]}", "%{[beat]}", "%{[beat.name.x]}"])
def test_a_field_without_a_value_and_default_is_missing(text: str) -> None:
    with pytest.raises(MissingField):
        render(text)


def test_a_body_that_is_no_document_has_no_fields() -> None:
    broken = Event("id", 0, b"nonsense")
    assert render("%{[a]:d}-%{+yyyy}", broken) == "d-1970"
    with pytest.raises(MissingField, match=r"^a$"):
        render("%{[a]}", broken)


def test_a_constant_is_known_to_be_one() -> None:
    assert FormatString.parse(r"a\%b").constant == "a%b"
    assert FormatString.parse("%{+yyyy}").constant is None


def test_who_has_the_document_need_not_decode_it_again() -> None:
    assert FormatString.parse("%{[a]}-%{+yyyy}").render_document({"a": 5}, 0) == "5-1970"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("ab%{[a]", "character 3"),
        ("%{a}", "character 1"),
        ("x%{[a]x}", "character 2"),
        ("%{[]}", "character 1"),
        ("%{}", "character 1"),
        ("%{[a][}", "character 1"),
        ("%{+yyyy.Q}", "'Q'.* character 1"),
        ("%{+}", "character 1"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_place(text: str, place: str) -> None:
    with pytest.raises(ValueError, match=place):
        FormatString.parse(text)


def test_two_of_the_same_text_are_equal() -> None:
    first, second = FormatString.parse("%{[a]}"), FormatString.parse("%{[a]}")
    assert first == second
    assert hash(first) == hash(second)
    assert first != FormatString.parse("%{[b]}")
    assert repr(first) == "FormatString('%{[a]}')"


@given(st.text(st.sampled_from("%{}[]:+\\ayM.'")))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        format_string = FormatString.parse(text)
    except ValueError:
        return
    try:
        format_string.render(EVENT)
    except MissingField:
        assert format_string.constant is None


@given(st.text())
def test_a_text_without_percent_and_backslash_is_itself(text: str) -> None:
    plain = text.replace("%", "").replace("\\", "")
    assert FormatString.parse(plain).constant == plain
