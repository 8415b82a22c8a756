import pytest

from connbeat.config.document import parse_document
from connbeat.config.faults import Findings
from connbeat.config.kinds import Mismatch
from connbeat.config.schema import AggregationRule
from connbeat.config.tree import Node
from connbeat.config.volume_kinds import AggregationRules, Percent, WhoCondition

BUDGET = Percent(0.1, 10_000)


def node(text: str) -> Node:
    found = parse_document(f"it: {text}", "f.yml", Findings()).value
    assert isinstance(found, dict)
    return found["it"]


def test_rules_are_taken_in_their_order() -> None:
    text = """
  - when.equals.container.name: web
    aggregation: 5m
  - when: {has_fields: [container]}
    aggregation: 0"""
    assert AggregationRules().parse(node(text)) == (
        AggregationRule(when={"equals": {"container": {"name": "web"}}}, aggregation_seconds=300.0),
        AggregationRule(when={"has_fields": ["container"]}, aggregation_seconds=0.0),
    )


def test_every_fault_of_every_rule_is_told_with_its_place() -> None:
    text = """
  - {when: {equals: {remote_port: 80}}, aggregation: soon}
  - {aggregation: 5m}
  - {when: {like: {container.name: x}}, aggregation: 5m, every: 2}
  - nothing
  - {when: {equals: {container.name: x}}, aggregation: }"""
    with pytest.raises(Mismatch) as caught:
        AggregationRules().parse(node(text))
    assert [place for place, _ in caught.value.faults] == [
        "0.when.equals.remote_port",
        "0.aggregation",
        "1",
        "2.every",
        "2.when.like",
        "3",
        "4",
    ]


@pytest.mark.parametrize("text", ["5m", "{when: {}}"])
def test_rules_are_a_list(text: str) -> None:
    with pytest.raises(Mismatch, match="a list of rules such as"):
        AggregationRules().parse(node(text))


def test_a_condition_asks_for_processes_and_containers_alone() -> None:
    inside = "{or: [{regexp: {local_process.binary: '^p'}}, {not: {has_fields: [container]}}]}"
    assert WhoCondition().parse(node(inside)) == {
        "or": [
            {"regexp": {"local_process": {"binary": "^p"}}},
            {"not": {"has_fields": ["container"]}},
        ]
    }
    with pytest.raises(Mismatch) as caught:
        WhoCondition().parse(node("{and: [{range: {remote_port.gt: 1}}, {has_fields: [nat]}]}"))
    assert [place for place, _ in caught.value.faults] == [
        "and.0.range.remote_port.gt",
        "and.1.has_fields",
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [("25%", 25.0), ("25", 25.0), ("0.5 %", 0.5), ("150%", 150.0), ("off", 0.0), ("0", 0.0),
     ("no", 0.0), ("0%", 0.0)],
)  # fmt: skip
def test_percentages(text: str, value: float) -> None:
    assert BUDGET.parse(node(text)) == value
    assert BUDGET.parse(node(BUDGET.show(value))) == value


@pytest.mark.parametrize("text", ["25s", "-5%", "much", "0.01%", "10001", "[25]", "yes", "1e1"])
def test_what_is_no_percentage(text: str) -> None:
    with pytest.raises(Mismatch, match=r"a percentage from 0.1% to 10000%, or off"):
        BUDGET.parse(node(text))
