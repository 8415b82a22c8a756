"""What holds for all events of one run of the agent, whatever it was run for."""

import functools
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has no types of its own

#: RFC 3339 in UTC with milliseconds.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
#: o(pened), (on)g(oing), c(losed): the words that a life may spell.
_LIFE = re.compile(r"(og*|g+)?c?|f")
#: How many events of each shape are held against the schema; their life is looked at in any case.
_OF_A_SHAPE = 100
_LETTERS = {"opened": "o", "ongoing": "g", "closed": "c", "failed": "f"}


def check_events(events: Sequence[dict[str, Any]], *, fields_under_root: bool = False) -> None:
    """Each follows the published schema, has only documented fields, and fits its life."""
    if not fields_under_root:
        shapes: Counter[str] = Counter()
        for event in events:
            # A busy host makes 100,000 of a few shapes, at a millisecond each.
            shapes[shape := _shape(event)] += 1
            if shapes[shape] <= _OF_A_SHAPE:
                _check_schema(event)
    lives: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        if "summary" in event:
            _check_summary(event)
            continue
        _check_parts(event)
        lives.setdefault(_about(event)["id"], []).append(event)
    for life in lives.values():
        _check_life(life)


@functools.cache
def _validator(schema: str) -> Any:
    # As a user gets it, not as a function returns it.
    command = [sys.executable, "-m", "connbeat", "export", "schema", "-E", f"schema={schema}"]
    schema = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


def _shape(value: Any) -> str:
    """Which fields an event has, and of which types."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_shape(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted({_shape(inner) for inner in value})) + "]"
    return type(value).__name__


def _check_schema(event: dict[str, Any]) -> None:
    validator = _validator("ecs" if "ecs" in event else "connbeat")
    faults = [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(event)]
    assert not faults, (faults, event)


def _about(event: dict[str, Any]) -> dict[str, Any]:
    own = event.get("connbeat", event)
    about: dict[str, Any] = own.get("connection") or own["listener"]
    if "ecs" not in event:
        return about
    times = {"opened_at": "start", "closed_at": "end"}
    return about | {
        name: event["event"][there] for name, there in times.items() if there in event["event"]
    }


def _check_parts(event: dict[str, Any]) -> None:
    if "ecs" in event:  # its shape is other; made of the same parts, and the schema knows it
        return
    is_connection = "connection" in event
    assert is_connection != ("listener" in event), event
    for name in ("local_ip", "remote_ip", "remote_port", "network"):
        assert (name in event) == is_connection, (name, event)
    about = _about(event)
    times = {name: value for name, value in about.items() if name.endswith("_at")}
    for value in (event["@timestamp"], *times.values()):
        assert _TIME.fullmatch(value), event
    assert ("closed_at" in about) == (about["event"] in ("closed", "failed")), event
    if is_connection and len(times) == 2:
        lasted = _seconds(times["closed_at"]) - _seconds(times["opened_at"])
        assert abs(lasted * 1000 - about["duration_ms"]) < 1.5, event
    else:
        assert "duration_ms" not in about, event
    process = event["local_process"]
    assert not ({"pid", "unknown_reason"} <= process.keys()), event


def _check_summary(event: dict[str, Any]) -> None:
    summary = event["summary"]
    for name in ("connection", "listener", "local_ip", "network"):
        assert name not in event, (name, event)
    for value in (event["@timestamp"], summary["started_at"], summary["ended_at"]):
        assert _TIME.fullmatch(value), event
    assert summary["started_at"] < summary["ended_at"] == event["@timestamp"], event
    assert summary["failed"] == sum(summary.get("failures", {}).values()), event
    counts = ("opened", "closed", "open", "failed", "bytes_sent", "bytes_received", "retransmits")
    assert any(summary[name] for name in counts) or "earlier" in summary, event


def _check_life(life: Sequence[dict[str, Any]]) -> None:
    word = "".join(_LETTERS[_about(event)["event"]] for event in life)
    assert _LIFE.fullmatch(word), life
    # Opened before us has no opened_at, ever; seen to open has one, always.
    assert len({"opened_at" in _about(event) for event in life}) == 1, life
    if word.startswith("o"):
        assert "opened_at" in _about(life[0]), life
    elif word.startswith("g") and "summarised" not in _about(life[0]):
        assert "opened_at" not in _about(life[0]), life
    stamps = [event["@timestamp"] for event in life]
    assert stamps == sorted(stamps), life


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
