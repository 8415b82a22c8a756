from tests.unit.processors.trying import EVENT, failure, tried


def test_a_value_stands_under_both_names() -> None:
    result = tried("- copy_fields.fields: [{from: local_process, to: process.of}]")
    assert result == {**EVENT, "process": {"of": EVENT["local_process"]}}


def test_nothing_is_overwritten() -> None:
    text = failure("- copy_fields.fields: [{from: local_ip, to: remote_ip}]")
    assert text == "there is a field remote_ip already"


def test_the_type_may_be_copied() -> None:
    assert tried("- copy_fields.fields: [{from: type, to: kind}]")["kind"] == "connbeat"
