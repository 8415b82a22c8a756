from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.model.conditions import ConditionError, condition_fields, parse_condition

DOCUMENT = {
    "remote_port": 443,
    "remote_ip": "10.0.0.7",
    "share": 0.5,
    "ok": True,
    "load": "0.75",
    "local_process": {"binary": "nginx", "cmdline": "nginx -g daemon off;"},
    "beat": {"local_ips": ["10.0.0.1", "192.0.2.1"]},
    "container": {"labels": {"com.docker.compose.project": "shop"}},
    "tags": ["edge", "blue"],
}


@pytest.mark.parametrize(
    "condition",
    [
        {"equals": {"remote_port": 443}},
        {"equals": {"remote_port": 443, "local_process": {"binary": "nginx"}}},
        {"equals": {"local_process.binary": "nginx"}},
        {"equals": {"ok": True}},
        {"equals": {"share": 0.5}},
        {"equals": {"container.labels.com.docker.compose.project": "shop"}},
        {
            "equals": {
                "container": {"labels": {"com": {"docker": {"compose": {"project": "shop"}}}}}
            }
        },
        {"contains": {"local_process.cmdline": "daemon"}},
        {"contains": {"tags": "edg"}},
        {"regexp": {"local_process.binary": "^ng.nx$"}},
        {"regexp": {"tags": "^bl"}},
        {"range": {"remote_port": {"gte": 443, "lt": 444}}},
        {"range": {"remote_port.gt": 442, "share.lte": 0.5}},
        {"range": {"remote_port.gte": "443"}},
        {"range": {"load.lt": 0.8}},
        {"network": {"remote_ip": "private"}},
        {"network": {"remote_ip": ["loopback", "10.0.0.0/24"], "beat.local_ips": "192.0.2.0/24"}},
        {"has_fields": ["remote_ip", "container.labels"]},
        {"has_fields": "remote_ip"},
        {"not": {"equals": {"remote_port": 80}}},
        {"and": [{"equals": {"remote_port": 443}}, {"has_fields": ["tags"]}]},
        {"or": [{"equals": {"remote_port": 80}}, {"not": {"has_fields": ["nothing"]}}]},
    ],
)
def test_what_fits(condition: object) -> None:
    assert parse_condition(condition)(DOCUMENT)
    assert not parse_condition({"not": condition})(DOCUMENT)


@pytest.mark.parametrize(
    "condition",
    [
        {"equals": {"remote_port": "443"}},
        {"equals": {"ok": 1}},
        {"equals": {"remote_port": True}},
        {"equals": {"nothing": "x"}},
        {"equals": {"remote_port": 443, "ok": False}},
        {"equals": {"local_process": "nginx"}},
        {"contains": {"remote_port": "4"}},
        {"contains": {"nothing": ""}},
        {"regexp": {"nothing": ".*"}},
        {"range": {"remote_ip": {"gt": 1}}},
        {"range": {"ok": {"gte": 0}}},
        {"range": {"nothing": {"lt": 5}}},
        {"network": {"local_process.binary": "private"}},
        {"network": {"remote_ip": ["loopback", "public"]}},
        {"has_fields": ["remote_ip", "nothing"]},
    ],
)
def test_what_does_not_fit(condition: object) -> None:
    assert not parse_condition(condition)(DOCUMENT)


def test_every_fault_is_told_with_its_place() -> None:
    condition = {
        "or": [
            {"equals": {"a": {"b": [1]}}},
            {"range": {"port": 5}},
            {"range": {"port": {"gt": "x"}}},
            {"regexp": {"a": "("}},
            {"network": {"ip": ["private", "home"]}},
            {"not": {"like": {"a": 1}}},
            {"and": []},
            {"has_fields": []},
            {"equals": {}},
            {"range": {}},
            {"contains": {"a": None}},
            "x",
            {"equals": {"a": 1}, "regexp": {"a": "x"}},
        ]
    }
    with pytest.raises(ConditionError) as caught:
        parse_condition(condition)
    assert [place for place, _ in caught.value.faults] == [
        "or.0.equals.a.b",
        "or.1.range.port",
        "or.2.range.port.gt",
        "or.3.regexp.a",
        "or.4.network.ip",
        "or.5.not.like",
        "or.6.and",
        "or.7.has_fields",
        "or.8.equals",
        "or.9.range",
        "or.10.contains.a",
        "or.11",
        "or.12",
    ]
    assert "or.4.network.ip: found 'home'" in str(caught.value)


def test_the_fields_of_a_condition_have_their_places() -> None:
    condition = {
        "or": [
            {"equals": {"a.b": 1, "c": {"d": 2}}},
            {"not": {"range": {"n.gt": 1, "m": {"lt": 2}}}},
            {"has_fields": ["x", "y.z"]},
        ]
    }
    parse_condition(condition)
    assert list(condition_fields(condition)) == [
        ("or.0.equals.a.b", "a.b"),
        ("or.0.equals.c.d", "c.d"),
        ("or.1.not.range.n.gt", "n"),
        ("or.1.not.range.m.lt", "m"),
        ("or.2.has_fields", "x"),
        ("or.2.has_fields", "y.z"),
    ]


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab.", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["equals", "range", "and", "not", "a", "a.gt", "network", "regexp"]),
            inner,
            max_size=2,
        )
    ),
)


@given(plain, st.dictionaries(st.sampled_from(["a", "b"]), plain))
def test_any_data_is_a_condition_or_refused_and_any_document_can_be_asked(
    data: object, document: dict[str, Any]
) -> None:
    fields = list(condition_fields(data))
    try:
        condition = parse_condition(data)
    except ConditionError:
        return
    assert condition(document) in (True, False)
    assert fields
