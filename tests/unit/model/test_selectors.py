import msgspec
import pytest

from connbeat.model.batches import Event
from connbeat.model.format_strings import FormatString, MissingField
from connbeat.model.selectors import Selector, SelectorError


def event(**document: object) -> Event:
    return Event("e", 1_795_000_000_000_000_000, msgspec.json.encode(document))


def selector(*rules: object, plain: str = "plain") -> Selector:
    return Selector.parse(list(rules), "key", FormatString.parse(plain))


def test_without_rules_the_plain_setting_decides() -> None:
    assert selector(plain="c-%{[a]}").select(event(a=1)) == "c-1"


def test_the_first_rule_that_fits_decides() -> None:
    rules = selector(
        {"key": "web", "when": {"equals": {"port": 80}}},
        {"key": "tls", "when": {"equals": {"port": 443}}},
        {"key": "never", "when": {"equals": {"port": 80}}},
    )
    assert [rules.select(event(port=port)) for port in (80, 443, 22)] == ["web", "tls", "plain"]


def test_a_rule_without_its_field_passes_to_the_next() -> None:
    rules = selector({"key": "%{[team]}"}, {"key": "%{[name]}"})
    assert rules.select(event(team="a", name="n")) == "a"
    assert rules.select(event(name="n")) == "n"
    assert rules.select(event(team="")) == "plain"


def test_mappings_name_what_is_known_and_default_the_rest() -> None:
    rules = selector({"key": "%{[team]}", "mappings": {"a": "team-a"}, "default": "other"})
    assert [rules.select(event(team=team)) for team in ("a", "b")] == ["team-a", "other"]
    assert rules.select(event()) == "other"


def test_what_is_not_mapped_passes_on_where_there_is_no_default() -> None:
    rules = selector({"key": "%{[team]}", "mappings": {"a": "team-a"}})
    assert rules.select(event(team="b")) == "plain"


def test_numbers_of_the_configuration_are_texts() -> None:
    rules = selector({"key": "%{[port]}", "mappings": {80: 8080}, "default": True})
    assert rules.select(event(port=80)) == "8080"
    assert rules.select(event(port=81)) == "true"


def test_a_plain_setting_without_its_field_is_told() -> None:
    with pytest.raises(MissingField, match="team"):
        selector(plain="%{[team]}").select(event())


def test_without_a_plain_setting_there_may_be_no_name() -> None:
    assert Selector.parse([{"key": "%{[team]}"}], "key", None).select(event()) == ""


def test_a_body_that_is_no_document_gets_the_plain_setting() -> None:
    assert selector({"key": "%{[a]}"}).select(Event("e", 0, b"nonsense")) == "plain"


def test_all_faults_are_told_with_their_places() -> None:
    with pytest.raises(SelectorError) as caught:
        selector(
            "text",
            {"kye": "x"},
            {"key": "%{[a]", "when": {"eqals": {}}},
            {"key": ["a"], "mappings": {"a": {}}},
            {"key": "fine"},
        )
    assert sorted(place for place, _ in caught.value.faults) == [
        "0",
        "1.key",
        "1.kye",
        "2.key",
        "2.when.eqals",
        "3.key",
        "3.mappings",
    ]


@pytest.mark.parametrize("rules", ["text", {"key": "a"}, 1])
def test_what_is_no_list_is_no_list_of_rules(rules: object) -> None:
    with pytest.raises(SelectorError, match="expected a list of rules"):
        Selector.parse(rules, "key", None)
