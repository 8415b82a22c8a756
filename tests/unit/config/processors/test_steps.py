import pytest

from connbeat.config.processors.kind import Processors
from connbeat.config.tree import Node, Place
from connbeat.processors.drop_event import DropEventConfig
from connbeat.processors.drop_fields import DropFieldsConfig
from connbeat.processors.protocol import Action, Branch
from connbeat.processors.rate_limit import Rate, RateLimitConfig
from tests.unit.processors.trying import faults_of, steps_of


def test_a_processor_is_its_name_its_options_and_its_condition() -> None:
    yaml = "- drop_fields: {fields: [a], ignore_missing: on, tag: t, when.equals.b: 1}"
    assert steps_of(yaml) == (
        Action(
            name="drop_fields",
            config=DropFieldsConfig(fields=("a",), ignore_missing=True),
            when={"equals": {"b": 1}},
            tag="t",
        ),
    )


def test_dots_and_nesting_are_the_same_and_what_is_off_is_not_there() -> None:
    yaml = "- drop_event.when.equals.b: 1\n- rate_limit: {limit: 5/m, enabled: no}"
    assert steps_of(yaml) == (
        Action(name="drop_event", config=DropEventConfig(), when={"equals": {"b": 1}}),
    )


def test_then_and_else_hold_a_list_or_a_single_one() -> None:
    yaml = """
- if.equals.a: 1
  then:
    drop_event:
  else:
    - rate_limit.limit: 5/m
"""
    limit = RateLimitConfig(limit=Rate(5, 60, "5/m"))
    assert steps_of(yaml) == (
        Branch(
            condition={"equals": {"a": 1}},
            then=(Action(name="drop_event", config=DropEventConfig()),),
            otherwise=(Action(name="rate_limit", config=limit),),
        ),
    )


def test_the_five_of_5_6_are_written_as_they_were() -> None:
    yaml = """
- include_fields:
    fields: ["local_ip", "remote_ip"]
- drop_fields:
    when:
      range:
        remote_port:
          gte: 1024
    fields: ["local_process"]
- drop_event:
    when:
      or:
        - equals: {remote_port: 80}
        - regexp: {local_process.binary: "^ng"}
- add_cloud_metadata:
- decode_json_fields: {fields: [a], process_array: false, max_depth: 1, overwrite_keys: false}
"""
    names = [step.name for step in steps_of(yaml) if isinstance(step, Action)]
    assert names == [
        "include_fields",
        "drop_fields",
        "drop_event",
        "add_cloud_metadata",
        "decode_json_fields",
    ]


@pytest.mark.parametrize(
    ("yaml", "faults"),
    [
        ("- drop", {"0": "found 'drop', expected a processor with its options, or if and then"}),
        ("- {}", {"0": "found a section, expected a processor with its options, or if and then"}),
        (
            "- drop_fields:\n  fields: [a]",
            {"0": "found drop_fields, fields, expected one processor; indent its options more"},
        ),
        (
            "- drop_field.fields: [a]",
            {"0.drop_field": "unknown processor, did you mean drop_fields?"},
        ),
        ("- xyz:", {"0.xyz": "unknown processor"}),
        ("- dissect:", {"0.dissect": "is a processor of Beats that connbeat has not"}),
        (
            "- add_tags: a",
            {"0.add_tags": "found 'a', expected a section with its options"},
        ),
        (
            "- if.like: 1\n  then.add_tags: {}\n  als: {}",
            {
                "0.als": "unknown key, expected if, then and else",
                "0.if.like": (
                    "unknown condition, expected one of equals, contains, regexp, network, range,"
                    " has_fields, and, or, not"
                ),
                "0.then.add_tags.tags": "is missing, expected a list of words",
            },
        ),
        ("- if.equals.a: 1", {"0.then": "is missing, expected processors"}),
        (
            "- add_tags: {tags: [a], when: {equals: {a: 1}, contains: {a: x}}}",
            {
                "0.add_tags.when": (
                    "found 2 keys, expected one of equals, contains, regexp, network, range,"
                    " has_fields, and, or, not"
                )
            },
        ),
    ],
)
def test_what_is_wrong_is_told_at_its_place(yaml: str, faults: dict[str, str]) -> None:
    assert faults_of(yaml) == faults


def test_what_could_not_be_expanded_is_not_told_twice() -> None:
    place = Place("f")
    broken = Node(None, place, is_broken=True)
    node = Node((Node({"add_tags": Node({"tags": broken}, place)}, place), broken), place)
    assert Processors().parse(node) == ()
