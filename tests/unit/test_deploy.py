"""Dashboard and alerts ask for what the catalogue of metrics has, and send nobody nowhere."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from connbeat.telemetry.metrics import Kind, Metric
from tests.promql import NotPromql, Query, Selector, read_query

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "deploy/grafana/connbeat.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8"))
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
PANELS: list[dict[str, Any]] = [one for one in DASHBOARD["panels"] if one["type"] != "row"]
TARGETS = [(panel["title"], target) for panel in PANELS for target in panel["targets"]]

#: What Prometheus itself adds to every series, and the series it makes.
SCRAPE_LABELS = {"instance", "job"}
OF_PROMETHEUS = {"up": SCRAPE_LABELS}


def labels_of_series() -> dict[str, set[str]]:
    """Every series there can be, and the labels it has."""
    series = dict(OF_PROMETHEUS)
    for metric in Metric:
        info = metric.value
        labels = {*info.labels, *SCRAPE_LABELS}
        if info.kind is Kind.HISTOGRAM:
            series |= {f"{info.name}{suffix}": labels for suffix in ("_count", "_sum")}
            series[f"{info.name}_bucket"] = labels | {"le"}
        else:
            series[info.name] = labels
    return series


SERIES = labels_of_series()


def result_labels(query: Query) -> set[str]:
    if query.labels is not None:
        return set(query.labels)
    return set.intersection(*(SERIES[one.name] for one in query.selectors))


def checked(expression: str) -> Query:
    query = read_query(expression)
    for selector in query.selectors:
        assert selector.name in SERIES, f"{selector.name} is not in the catalogue"
        assert set(selector.labels) <= SERIES[selector.name], selector
    known = set.union(*(SERIES[one.name] for one in query.selectors))
    assert set(query.groupings) <= known, expression
    return query


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_there_is_and_speaks_of_labels_it_has(rule: dict[str, Any]) -> None:
    labels = result_labels(checked(rule["expr"]))
    assert rule["labels"]["severity"] in ("info", "warning", "critical")
    for text in rule["annotations"].values():
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= labels


def test_no_alert_stands_twice() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)


def test_promtool_s_own_test_speaks_of_alerts_there_are() -> None:
    """It is not run here: promtool is not among what the tests install."""
    tests = yaml.safe_load((ROOT / "deploy/prometheus/alerts_test.yml").read_text("utf-8"))["tests"]
    tested = {case["alertname"] for test in tests for case in test["alert_rule_test"]}
    assert tested <= {rule["alert"] for rule in RULES}
    for test in tests:
        for series in test["input_series"]:
            (selector,) = read_query(series["series"]).selectors
            assert {*selector.labels} == SERIES[selector.name]


def headings(page: str) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in found}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do_and_the_section_is_there(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor in headings((ROOT / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize(("title", "target"), TARGETS)
def test_a_panel_asks_for_what_there_is(title: str, target: dict[str, Any]) -> None:
    query = checked(target["expr"])
    assert title
    assert all("instance" in selector.labels for selector in query.selectors)
    assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= result_labels(query)


def test_the_dashboard_is_whole() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert all(panel["description"] for panel in PANELS)
    cells = [cell for panel in DASHBOARD["panels"] for cell in cells_of(panel["gridPos"])]
    assert len(set(cells)) == len(cells), "panels lie on each other"
    assert max(x for x, _ in cells) < 24
    assert {one["name"] for one in DASHBOARD["templating"]["list"]} == {"datasource", "instance"}


def cells_of(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    for x in range(place["x"], place["x"] + place["w"]):
        for y in range(place["y"], place["y"] + place["h"]):
            yield x, y


def test_what_can_be_bad_is_asked_for_by_an_alert() -> None:
    asked = {one.name for rule in RULES for one in read_query(rule["expr"]).selectors}
    for name in (
        Metric.CAPTURE_AGE,
        Metric.OUTPUT_STALLED,
        Metric.EVENTS_DROPPED,
        Metric.QUEUE_FILL,
        Metric.COVERAGE,
        Metric.SPOOL_FAILURES,
    ):
        assert name.value.name in asked


# The reader itself


@pytest.mark.parametrize(
    ("text", "names", "labels"),
    [
        ("up", ["up"], None),
        ('sum by (a, b) (rate(x{c="d",e=~"f|g"}[5m])) / 2 > 0.5', ["x"], ["a", "b"]),
        ("(a or b unless c offset 5m) > 1e6", ["a", "b", "c"], None),
        ("histogram_quantile(0.9, sum by (le) (rate(h_bucket[$__rate_interval])))", None, ["le"]),
        ("count(x > 3) or vector(0)", ["x"], []),
    ],
)
def test_what_is_promql_is_read(
    text: str, names: list[str] | None, labels: list[str] | None
) -> None:
    query = read_query(text)
    assert names is None or [one.name for one in query.selectors] == names
    assert query.labels == labels


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rate(x)",
        "increase(x[5])",
        "x[5m]",
        "x[5m] > 1",
        "sum(x[5m])",
        "x{a=b}",
        'x{a~"b"}',
        "sum by (a) x",
        "sum by a (x)",
        "nothing(x)",
        "x >",
        "x y",
        "(x",
        "x offset y",
        "1 or 2",
        "x ! y",
    ],
)
def test_what_is_not_is_refused(text: str) -> None:
    with pytest.raises(NotPromql):
        read_query(text)


def test_a_selector_keeps_the_labels_it_asks_for() -> None:
    assert read_query('x{a="1",b!="2"}').selectors == [Selector("x", ["a", "b"])]
