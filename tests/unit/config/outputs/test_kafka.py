import pytest

from connbeat.config.document import parse_document
from connbeat.config.faults import Findings
from connbeat.config.kinds import Mismatch
from connbeat.config.outputs.kafka import OPTIONS, Partition
from connbeat.outputs.kafka.config import Partitioning


def parsed(text: str) -> object:
    found = parse_document(f"it: {text}", "f.yml", Findings()).value
    assert isinstance(found, dict)
    return Partition().parse(found["it"])


def test_keys_are_relative_and_there_once() -> None:
    keys = [option.key for option in OPTIONS]
    assert len(keys) == len(set(keys))
    assert not [key for key in keys if key.startswith("output.")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("random", Partitioning("random")),
        ("{hash: }", Partitioning("hash")),
        ("{hash: {random: false}}", Partitioning("hash", has_random=False)),
        ("{hash: {hash: [], reachable_only: true}}", Partitioning("hash")),
        ("{random: {group_events: 5}}", Partitioning("random")),
        ("{round_robin: {reachable_only: true}}", Partitioning("round_robin")),
    ],
)
def test_the_strategy_is_the_section_there_is(text: str, expected: Partitioning) -> None:
    assert parsed(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "[hash]",
        "fnv",
        "{}",
        "{hash: {}, random: {}}",
        "{sticky: {}}",
        "{hash: {hush: 1}}",
        "{hash: {hash: [remote_ip]}}",
        "{hash: {random: maybe}}",
    ],
)
def test_what_would_partition_otherwise_is_refused(text: str) -> None:
    with pytest.raises(Mismatch):
        parsed(text)
