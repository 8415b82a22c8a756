import pytest

from tests.unit.processors.trying import EVENT, Trial, failure, faults_of, tried


@pytest.mark.parametrize(
    ("value", "kind", "converted"),
    [
        ("42", "integer", 42),
        ("0x1F", "integer", 31),
        ("-7", "long", -7),
        (3.9, "integer", 3),
        (1 << 40, "long", 1 << 40),
        ("1e3", "float", 1000.0),
        (5, "double", 5.0),
        (5, "string", "5"),
        (True, "string", "true"),
        (2.5, "string", "2.5"),
        ("T", "boolean", True),
        ("0", "boolean", False),
        (False, "boolean", False),
        ("2001:db8::1", "ip", "2001:db8::1"),
        ("10.0.0.1", "ip", "10.0.0.1"),
    ],
)
def test_values_are_converted_in_their_place(value: object, kind: str, converted: object) -> None:
    result = tried(f"- convert.fields: [{{from: a.b, type: {kind}}}]", {"a": {"b": value}})
    assert result == {"a": {"b": converted}}
    assert type(result["a"]["b"]) is type(converted)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x", "integer"),
        ("", "long"),
        (True, "integer"),
        ([1], "integer"),
        (1 << 31, "integer"),
        (1 << 63, "long"),
        ("nan", "float"),
        ("1e999", "double"),
        ({"x": 1}, "string"),
        ("yes", "boolean"),
        (1, "boolean"),
        ("10.0.0", "ip"),
        (10, "ip"),
    ],
)
def test_what_cannot_be_converted_is_a_failure_and_stays(value: object, kind: str) -> None:
    text = failure(f"- convert.fields: [{{from: a, type: {kind}}}]", {"a": value})
    assert text == f"a is {value!r}, which cannot be {kind}"


def test_it_goes_to_another_name_as_a_copy_or_alone() -> None:
    fields = "fields: [{from: local_port, to: source.port, type: string}]"
    assert tried(f"- convert: {{{fields}}}") == {**EVENT, "source": {"port": "45678"}}
    renamed = tried(f"- convert: {{{fields}, mode: rename}}")
    assert "local_port" not in renamed
    assert renamed["source"] == {"port": "45678"}


def test_without_a_type_it_is_copied() -> None:
    assert tried("- convert.fields: [{from: local_ip, to: x}]")["x"] == "172.18.0.3"


def test_without_fail_on_error_the_others_are_converted() -> None:
    fields = "[{from: remote_ip, type: integer}, {from: remote_port, type: string}]"
    trial = Trial(f"- convert: {{fields: {fields}, fail_on_error: false}}")
    assert trial() == {**EVENT, "remote_port": "80"}
    assert trial.accounts.failures == []


def test_a_missing_field_is_a_failure_unless_ignored() -> None:
    assert failure("- convert.fields: [{from: x, type: ip}]") == "there is no field x"
    assert tried("- convert: {fields: [{from: x, type: ip}], ignore_missing: true}") == EVENT


def test_an_unknown_type_is_told_at_its_place() -> None:
    assert faults_of("- convert.fields: [{from: x, type: int}]") == {
        "0.convert.fields.0.type": (
            "found 'int', expected integer, long, float, double, string, boolean or ip"
        )
    }
