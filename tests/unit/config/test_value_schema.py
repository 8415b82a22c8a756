from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
import yaml

from connbeat.config.kinds import (
    Anything,
    Boolean,
    BooleanOrAuto,
    Choice,
    Duration,
    Fields,
    FileName,
    Integer,
    Kind,
    Mismatch,
    Permissions,
    Size,
    Text,
    TextList,
)
from connbeat.config.output_kinds import Hosts, Limit, Rules, TextMap, When
from connbeat.config.tree import Place, plain_node
from connbeat.config.value_schema import json_default, value_schema
from connbeat.config.volume_kinds import AggregationRules, Percent, WhoCondition
from connbeat.outputs.hosts import HostDefaults


def is_valid(kind: Kind, value: Any) -> bool:
    validator = jsonschema.Draft7Validator({"anyOf": value_schema(kind)})
    return bool(validator.is_valid(value))


RIGHT = [
    (Boolean(), ["true", "Yes", "OFF", "'on'"]),
    (BooleanOrAuto(), ["auto", "false"]),
    (Integer(1, 5), ["1", "5", "'3'"]),
    (Limit(10), ["-1", "3", "'3'"]),
    (Duration(), ["30s", "1h30m", "2.5", "0", "250ms", "'5'"]),
    (Size(0, 1 << 40), ["32MiB", "10GB", "1024", "10 kb"]),
    (Permissions(), ["0600", "'0600'", "0o644"]),
    (Text(), ["a", "1.10", "true"]),
    (FileName(), ["connbeat", "a.log"]),
    (Choice("info", "debug"), ["info", "INFO", "Debug"]),
    (TextList(), ["[a, 1]", "a", "[]"]),
    (Hosts(HostDefaults(ports={"http": 80})), ["[a:1]", "a:1"]),
    (Fields(), ["{a: {b: 1}}", "{}"]),
    (TextMap(), ["{a: b}"]),
    (When(), ["{equals: {remote_port: 80}}"]),
    (Rules("index"), ["[{index: a}]"]),
    (WhoCondition(), ["{equals: {container.name: a}}"]),
    (AggregationRules(), ["[{when: {has_fields: [container]}, aggregation: 5m}]"]),
    (Percent(1, 100), ["25%", "25", "off", "0", "false"]),
    (Anything(), ["{a: [1]}", "x"]),
]
WRONG = [
    (Boolean(), ["maybe", "1", "[true]"]),
    (BooleanOrAuto(), ["automatic"]),
    (AggregationRules(), ["5m", "[{aggregation: 5m}]"]),
    (Percent(1, 100), ["much", "-5%", "[25]"]),
    (Integer(1, 5), ["0", "6", "x", "1.5", "[1]"]),
    (Duration(), ["fast", "90 seconds", "-5", "{a: 1}"]),
    (Size(0, 1 << 40), ["big", "10XB"]),
    (Permissions(), ["'9'", "rw"]),
    (Text(), ["[a]", "{a: b}"]),
    (FileName(), ["a/b"]),
    (Choice("info", "debug"), ["loud", "1"]),
    (TextList(), ["{a: b}", "[[a]]"]),
    (Hosts(HostDefaults(ports={"http": 80})), ["[]"]),
    (Fields(), ["a", "[a]"]),
    (When(), ["x"]),
    (Rules("index"), ["{index: a}", "[a]"]),
]


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in RIGHT for text in texts], ids=str
)
def test_what_is_right_is_valid(kind: Kind, text: str) -> None:
    assert is_valid(kind, yaml.safe_load(text))


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in WRONG for text in texts], ids=str
)
def test_what_is_wrong_is_not(kind: Kind, text: str) -> None:
    assert not is_valid(kind, yaml.safe_load(text))
    if text[0] not in "[{":
        with pytest.raises(Mismatch):
            kind.parse(plain_node(text.strip("'"), Place("f")))


def test_a_default_is_written_as_it_would_stand_in_a_file() -> None:
    assert json_default(Duration(), 30.0) == "30s"
    assert json_default(Integer(0, 9), 5) == 5
    assert json_default(Boolean(), False) is False
    assert json_default(Permissions(), 0o600) == "0600"
    assert json_default(Text(), "") is None
