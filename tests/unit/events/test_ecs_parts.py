import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.events.ecs_parts import (
    agent_part,
    container_part,
    image,
    labels,
    orchestrator,
    process_part,
)

BEAT = {"name": "h1", "hostname": "host1", "version": "1.0.0", "local_ips": ["192.0.2.1"]}
CURL = {
    "binary": "curl",
    "cmdline": "curl http://web/",
    "environ": ["HOME=/root"],
    "pid": 4711,
    "uid": 1000,
    "started_at": "2026-11-23T09:59:58.010Z",
    "executable": "/usr/bin/curl",
    "user": "app",
    "started_ticks": 10,
    "arguments": ["curl", "http://web/"],
}
NOBODY = {"binary": "Unknown process with inode 7", "cmdline": "", "environ": [""]}


def test_the_beat_is_agent_and_host() -> None:
    part = agent_part(BEAT, "a1", "e1")
    assert part.fields == {
        "agent": {
            "type": "connbeat",
            "name": "h1",
            "version": "1.0.0",
            "id": "a1",
            "ephemeral_id": "e1",
        },
        "host": {
            "name": "h1",
            "hostname": "host1",
            "ip": ["192.0.2.1"],
            "os": {"type": "linux"},
        },
        "related": {"hosts": ["h1", "host1"]},
    }
    assert part.rest == {}
    same = agent_part({**BEAT, "hostname": "h1"}, "a1", "e1")
    assert same.fields["related"] == {"hosts": ["h1"]}


def test_a_process_has_its_arguments_its_user_and_a_name_of_its_own() -> None:
    part = process_part(CURL, "b00t")
    user = {"id": "1000", "name": "app"}
    assert part.fields == {
        "process": {
            "pid": 4711,
            "name": "curl",
            "command_line": "curl http://web/",
            "args": ["curl", "http://web/"],
            "args_count": 2,
            "env_vars": ["HOME=/root"],
            "entity_id": "b00t-1267-a",
            "executable": "/usr/bin/curl",
            "start": "2026-11-23T09:59:58.010Z",
            "user": user,
        },
        "user": user,
    }
    assert part.rest == {}


def test_what_is_not_exposed_is_not_there() -> None:
    bare = {"binary": "curl", "cmdline": "", "environ": [""], "pid": 1, "arguments": []}
    assert process_part(bare, "").fields == {"process": {"pid": 1, "name": "curl"}}


def test_where_there_is_no_process_its_reason_is_told() -> None:
    part = process_part({**NOBODY, "unknown_reason": "exited"}, "")
    assert part.fields == {}
    assert part.rest == {"binary": NOBODY["binary"], "unknown_reason": "exited"}


def test_a_container_has_image_and_labels_and_keeps_the_rest() -> None:
    whole = {
        "id": "c1",
        "name": "web",
        "image": "nginx:1.27",
        "runtime": "docker",
        "labels": {"a.b": "x"},
        "env": ["TIER=web"],
        "local_ips": ["172.18.0.3"],
        "ports": {"80": []},
    }
    part = container_part(whole)
    assert part.fields["container"] == {
        "id": "c1",
        "name": "web",
        "runtime": "docker",
        "labels": {"a.b": "x"},
        "image": {"name": "nginx", "tag": ["1.27"]},
    }
    assert part.rest == {key: whole[key] for key in ("env", "local_ips", "ports")}
    assert container_part({"id": "c2"}).fields == {"container": {"id": "c2"}}


@pytest.mark.parametrize("new", [{"later": 1}, {"later": {"deeper": [1]}}])
@pytest.mark.parametrize(
    ("make", "origin"),
    [
        (lambda origin: agent_part(origin, "a", "e"), BEAT),
        (lambda origin: process_part(origin, "b"), CURL),
        (lambda origin: process_part(origin, "b"), NOBODY),
        (container_part, {"id": "c1"}),
    ],
)
def test_what_is_not_known_here_is_kept_and_nothing_is_changed(
    make: Any, origin: dict[str, Any], new: dict[str, Any]
) -> None:
    given = {**origin, **new}
    before = copy.deepcopy(given)
    part = make(given)
    assert given == before
    assert part.origin is given
    assert part.rest.items() >= new.items()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nginx", {"name": "nginx"}),
        ("nginx:1.27", {"name": "nginx", "tag": ["1.27"]}),
        ("registry:5000/shop/web", {"name": "registry:5000/shop/web"}),
        ("registry:5000/shop/web:2.1", {"name": "registry:5000/shop/web", "tag": ["2.1"]}),
        ("nginx@sha256:9f31", {"name": "nginx", "hash": {"all": ["sha256:9f31"]}}),
        (
            "nginx:1.27@sha256:9f31",
            {"name": "nginx", "tag": ["1.27"], "hash": {"all": ["sha256:9f31"]}},
        ),
        ("sha256:9f31", {"name": "sha256:9f31"}),
        ("", {"name": ""}),
    ],
)
def test_an_image_is_its_name_its_tag_and_its_digest(text: str, parts: dict[str, Any]) -> None:
    assert image(text) == parts


def test_a_pod_is_a_resource_of_its_orchestrator() -> None:
    whole = {
        "namespace": "shop",
        "pod": {"name": "web-0", "uid": "2f1c"},
        "container": {"name": "nginx"},
    }
    assert orchestrator(whole) == (
        {
            "type": "kubernetes",
            "namespace": "shop",
            "resource": {"type": "pod", "name": "web-0", "id": "2f1c"},
        },
        {"container": {"name": "nginx"}},
    )
    bare = {"type": "kubernetes", "resource": {"type": "pod", "name": "web-0"}}
    assert orchestrator({"pod": {"name": "web-0"}}) == (bare, {})


def test_labels_have_one_level_and_are_texts() -> None:
    fields = {"a": "x", "b": {"c": 1, "d": {"e": True}}, "f": [1, "x"], "g": None, "h": {}}
    assert labels(fields) == {"a": "x", "b.c": "1", "b.d.e": "true", "f": '[1,"x"]', "h": "{}"}


JSON = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inside: st.lists(inside, max_size=2) | st.dictionaries(st.text(max_size=3), inside),
    max_leaves=5,
)


@given(st.dictionaries(st.text("ab", min_size=1, max_size=3), JSON, max_size=3))
def test_a_label_is_the_value_or_its_json(fields: dict[str, Any]) -> None:
    made = labels(fields)
    assert all(isinstance(text, str) for text in made.values())
    for name, value in fields.items():
        if isinstance(value, str):
            assert made[name] == value
        elif not isinstance(value, dict):
            assert json.loads(made[name]) == value
