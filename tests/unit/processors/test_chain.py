import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.events.document import DocumentBuilder, Documents
from connbeat.events.ecs import EcsDocumentBuilder, EcsNames
from connbeat.events.policy import DocumentPolicy
from connbeat.model.containers import DockerHost
from connbeat.processors.protocol import Facts, Held, Processor, ProcessorConfig
from tests.builders import HOST_NETNS
from tests.reports import CLOSED, NOW_NS, WALL_NS
from tests.unit.processors.documents import documents
from tests.unit.processors.trying import EVENT, FakeServices, Trial, tried, without

BRANCH = """
- if.network.remote_ip: private
  then:
    - add_tags.tags: [inside]
    - if.equals.remote_port: 80
      then.add_tags.tags: [web]
      else.drop_event: ~
  else:
    - add_tags.tags: [outside]
- add_tags.tags: [end]
"""


@pytest.mark.parametrize(
    ("changes", "tags"),
    [
        ({}, ["inside", "web", "end"]),
        ({"remote_ip": "192.0.2.1"}, ["outside", "end"]),
        ({"remote_port": 22}, None),
    ],
)
def test_if_then_else_may_stand_in_one_another(
    changes: dict[str, object], tags: list[str] | None
) -> None:
    result = tried(BRANCH, {**EVENT, **changes})
    assert (result and result["tags"]) == tags


def test_without_else_the_others_go_on() -> None:
    yaml = "- if.equals.remote_port: 22\n  then:\n  - drop_event: ~\n- add_tags.tags: [a]"
    assert tried(yaml)["tags"] == ["a"]


def test_when_decides_for_one_processor() -> None:
    yaml = "- add_tags: {tags: [a], when.equals.remote_port: 22}\n- add_tags.tags: [b]"
    assert tried(yaml)["tags"] == ["b"]


def test_a_condition_sees_what_was_done_before() -> None:
    yaml = "- add_tags.tags: [a]\n- drop_event.when.contains.tags: a\n- add_tags.tags: [b]"
    assert tried(yaml) is None


def test_what_is_not_enabled_is_not_there() -> None:
    assert tried("- drop_event.enabled: false") is EVENT


def test_an_empty_chain_gives_what_it_gets() -> None:
    assert tried("- if.equals.a: 1\n  then: []") is EVENT


def test_one_that_fails_is_told_and_the_event_goes_on() -> None:
    trial = Trial("- rename: {tag: one, fields: [{from: x, to: y}]}\n- add_tags.tags: [a]")
    assert trial()["tags"] == ["a"]
    assert trial.accounts.failures == ["rename one: there is no field x"]


def test_one_that_breaks_is_told_and_the_event_goes_on_as_it_was() -> None:
    class Broken(FakeServices):
        def facts(self, _config: ProcessorConfig) -> Facts:
            return lambda: {"no": 1 / 0}

    services = Broken()
    trial = Trial("- add_cloud_metadata: ~\n- add_tags.tags: [a]", services)
    assert trial() == {**EVENT, "tags": ["a"]}
    assert trial.accounts.failures == ["add_cloud_metadata: division by zero"]


def test_what_waits_goes_on_from_there_with_all_that_was_done_before_and_nothing_twice() -> None:
    yaml = """
- rate_limit.limit: 1/h
- if.equals.remote_port: 80
  then:
    - add_tags.tags: [a]
    - dns.fields: {remote_ip: remote.name}
    - drop_fields.fields: [container]
- dns: {fields: {local_ip: local.name}, max_wait: 5s}
- add_tags.tags: [b]
"""
    trial = Trial(yaml)
    names = trial.services.fake_names.known
    with pytest.raises(Held) as first:
        trial()
    assert (first.value.is_ready(), first.value.seconds) == (False, 1)
    names["172.18.0.2"] = "web"
    assert first.value.is_ready()
    with pytest.raises(Held) as second:
        first.value.resume(first.value.document)
    assert (second.value.is_ready(), second.value.seconds) == (False, 5)
    names["172.18.0.3"] = "client"
    assert second.value.resume(second.value.document) == {
        **without(EVENT, "container"),
        "tags": ["a", "b"],
        "remote": {"name": "web"},
        "local": {"name": "client"},
    }
    assert trial.accounts.failures == []


def test_what_fails_after_it_waited_is_told_as_well() -> None:
    trial = Trial("- dns.fields: {remote_ip: local_ip.name}")
    with pytest.raises(Held) as held:
        trial()
    trial.services.fake_names.known["172.18.0.2"] = "web"
    assert held.value.resume(held.value.document) == EVENT
    assert len(trial.accounts.failures) == 1


STEPS = [
    "- drop_event.when.equals.a: 1",
    "- drop_fields.fields: [a.b, '/^b/']",
    "- include_fields.fields: [a.b, b, a.b.c]",
    "- rename.fields: [{from: a, to: z.a}, {from: b.a, to: a.b}]",
    "- rename: {fields: [{from: a.b, to: b}], fail_on_error: false}",
    "- copy_fields.fields: [{from: b, to: a.x}]",
    "- add_fields: {target: '', fields: {a.b.c: 5, b.a: 6}}",
    "- add_labels.labels: {x.y: 1}",
    "- add_tags: {tags: [t], target: a.b}",
    "- convert: {fields: [{from: a, type: string}, {from: a.b, to: b, type: integer}]}",
    "- replace.fields: [{field: a.b, pattern: x, replacement: y}]",
    "- truncate_fields: {fields: [a, b], max_bytes: 1}",
    "- fingerprint: {fields: [a, a.b], ignore_missing: true, target_field: a.hash}",
    "- decode_json_fields: {fields: [a, b, a.b], target: '', overwrite_keys: true}",
    "- community_id: {fields: {source_ip: a, destination_ip: b}, target: b.hash}",
    "- dns: {fields: {a: b, b: a.b}, max_wait: 0, tag_on_failure: [a]}",
    "- add_host_metadata: ~",
    "- add_cloud_metadata: ~",
    "- if.has_fields: [a.b]\n  then.drop_fields.fields: [a.b]\n  else.add_tags.tags: [x]",
]


@given(documents, st.lists(st.sampled_from(STEPS), min_size=1, max_size=5))
def test_no_chain_ever_changes_what_it_is_given_or_breaks(
    document: dict[str, Any], steps: list[str]
) -> None:
    before = copy.deepcopy(document)
    trial = Trial("\n".join(steps))
    trial.services.known_facts = {"id": "1"}
    trial(document)
    assert document == before
    told = ("there is", "is no", "cannot be", "has no place")
    assert [text for text in trial.accounts.failures if not any(one in text for one in told)] == []


@given(documents, st.lists(st.sampled_from(STEPS), min_size=2, max_size=4))
def test_a_chain_is_its_steps_one_after_another(document: dict[str, Any], steps: list[str]) -> None:
    one_by_one: Any = document
    for step in steps:
        one_by_one = None if one_by_one is None else Trial(step)(one_by_one)
    assert Trial("\n".join(steps))(document) == one_by_one


def test_in_ecs_they_see_its_names_and_what_documents_share_stays_as_it_was() -> None:
    made = EcsDocumentBuilder(
        DocumentPolicy(name="h1", hostname="h1", version="1.0.0"),
        DockerHost("dh", ()),
        EcsNames(boot="b", agent_id="a", ephemeral_id="e"),
    )
    made.begin(HOST_NETNS, NOW_NS, WALL_NS)
    first = made.build(CLOSED)
    before = msgspec.json.encode(first)
    found = tried(
        """
        - if.network.source.ip: private
          then:
            - add_labels: {labels: {side: inside}}
            - rename: {fields: [{from: process.name, to: process.title}]}
        - drop_fields: {fields: [client, connbeat.container.env]}
        - drop_fields.fields: [network.community_id]
        - community_id:
        - add_tags.tags: [seen]
        - drop_event.when.not.equals.host.os.type: linux
        """,
        first,
    )
    assert found["labels"] == {"side": "inside"}
    assert (found["process"]["title"], "name" in found["process"]) == ("curl", False)
    assert ("client" in found, found["server"]["ip"]) == (False, "172.18.0.2")
    assert found["network"]["community_id"] == first["network"]["community_id"]
    assert found["tags"] == ["seen"]
    assert "env" not in found["connbeat"]["container"]
    assert msgspec.json.encode(first) == before
    assert msgspec.json.encode(made.build(CLOSED)) == before


def test_what_documents_share_stays_as_it_is_whatever_becomes_of_one_of_them() -> None:
    policy = DocumentPolicy(name="h1", hostname="h1", version="1", fields={"a": {"b": 1}})
    names = EcsNames(boot="5b1c2f0a9d3e4f60", agent_id="6c1f", ephemeral_id="8c1f0b7e")
    host = DockerHost("dh", ("127.0.1.1",))
    builders: list[Callable[[], Documents]] = [
        lambda: DocumentBuilder(policy, host),
        lambda: EcsDocumentBuilder(policy, host, names),
    ]
    for make in builders:
        assert _documents(make(), Trial(OF_SHARED_PARTS).run) == _documents(make(), lambda _: None)


OF_SHARED_PARTS = """
- replace.fields: [{field: local_process.cmdline, pattern: ., replacement: x}]
- replace.fields: [{field: process.command_line, pattern: ., replacement: x}]
- add_fields: {target: '', fields: {beat: {name: x}, agent: {name: x}, fields: {a: {c: 2}}}}
- add_fields: {target: '', fields: {process.name: x, host.name: x, network.type: x, event.kind: x}}
- drop_fields: {fields: [local_process.pid, '/^(process|host|agent|container|event)/']}
"""


def _documents(builder: Documents, use: Processor) -> list[dict[str, Any]]:
    """Three of one connection, each as it was made and then used."""
    builder.begin(HOST_NETNS, 0, 0)
    made = []
    for _ in range(3):
        document = builder.build(CLOSED)
        made.append(copy.deepcopy(document))
        use(document)
    return made
