import json
from typing import Any

import pytest

from connbeat.agent import processing
from connbeat.agent.lookups import Lookups
from connbeat.agent.processing import Processing, build_processing
from connbeat.processors.chain import compile_chain
from connbeat.telemetry.metrics import Metric, Metrics
from tests.deliveries import FakeClock
from tests.unit.processors.trying import EVENT, FakeAccounts, FakeServices, steps_of

NAMES = "- dns.fields: {remote_ip: name}"
ADDRESS = EVENT["remote_ip"]


class Stage:
    def __init__(self, yaml: str) -> None:
        self.services = FakeServices()
        self.clock: FakeClock = self.services.clock
        self.metrics = Metrics()
        self.processing = Processing(
            compile_chain(steps_of(yaml), self.services, FakeAccounts()),
            Lookups(self.clock, self.metrics),
            self.clock,
            self.metrics,
        )

    def event(self, event_id: str = "e1") -> dict[str, Any] | None:
        event = self.processing.event(event_id, 7, EVENT)
        return None if event is None else json.loads(event.body)

    def released(self, *, is_last: bool = False) -> list[tuple[str, object]]:
        return [
            (event.id, json.loads(event.body).get("name"))
            for event in self.processing.released(is_last=is_last)
        ]

    def hurried(self, reason: str) -> float:
        return self.metrics.get(Metric.EVENTS_HURRIED, reason=reason)


def test_without_processors_there_is_nothing_to_go_through() -> None:
    assert build_processing((), FakeClock(), Metrics()) is None


def test_an_event_keeps_its_id_and_its_time_whatever_becomes_of_the_document() -> None:
    stage = Stage("- include_fields.fields: [local_ip]")
    event = stage.processing.event("e1", 7, EVENT)
    assert event is not None
    assert (event.id, event.timestamp_ns) == ("e1", 7)
    assert json.loads(event.body) == {
        "@timestamp": EVENT["@timestamp"],
        "type": "connbeat",
        "local_ip": "172.18.0.3",
    }


def test_a_dropped_event_is_none() -> None:
    assert Stage("- drop_event:").event() is None


def test_an_event_waits_for_a_name_and_goes_on_when_it_is_there() -> None:
    stage = Stage(NAMES)
    assert stage.event("e1") is None
    assert stage.event("e2") is None
    assert stage.released() == []
    assert stage.metrics.get(Metric.EVENTS_HELD) == 2
    stage.services.fake_names.known[ADDRESS] = "web"
    assert stage.released() == [("e1", "web"), ("e2", "web")]
    assert stage.released() == []
    assert stage.metrics.get(Metric.EVENTS_HELD) == 0
    assert stage.event("e3") == {**EVENT, "name": "web"}, "the name is known now"


def test_it_waits_no_longer_than_it_may() -> None:
    stage = Stage(NAMES)
    stage.event("e1")
    stage.clock.advance(0.99)
    stage.event("e2")
    assert stage.released() == []
    stage.clock.advance(0.01)
    assert stage.released() == [("e1", None)]
    assert stage.hurried("late") == 1


def test_at_the_end_nothing_waits_any_more_also_not_for_the_next_processor() -> None:
    stage = Stage(f"{NAMES}\n- dns.fields: {{local_ip: other}}")
    stage.event("e1")
    stage.services.fake_names.known[ADDRESS] = "web"
    assert stage.released() == [], "it waits for the second"
    stage.event("e2")
    stage.services.fake_names.known.clear()
    stage.event("e3")
    assert stage.released(is_last=True) == [("e1", "web"), ("e2", "web"), ("e3", None)]
    assert stage.hurried("stop") == 3


def test_where_too_many_wait_the_next_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing, "_MOST_HELD", 1)
    stage = Stage(NAMES)
    assert stage.event("e1") is None
    assert stage.event("e2") == EVENT
    assert stage.hurried("full") == 1


def test_one_that_cannot_be_written_costs_itself_only(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(NAMES)
    stage.processing.event("bad", 7, {**EVENT, "x": "\udcff"})
    stage.event("good")
    assert stage.released(is_last=True) == [("good", None)]
    assert stage.metrics.get(Metric.REPORTS_FAILED) == 1
    assert "An event could not be written. id=bad" in caplog.text
