from typing import Any

import pytest

from connbeat.agent.volume import build_volume, plan_policy, shortest_interval_ns
from connbeat.config.schema import AggregationRule, ConnbeatConfig, Settings, SummariseConfig
from connbeat.connections.plans import Plan, Plans
from connbeat.connections.teller import Volume
from connbeat.events.document import DocumentBuilder
from connbeat.events.policy import DocumentPolicy
from connbeat.model.connections import Party
from connbeat.model.containers import Container, DockerHost
from connbeat.telemetry.metrics import Metrics
from tests.builders import SECOND, process

WEB = Container("c" * 64, name="web", labels={"com.example.tier": "front"})
RULES = (
    AggregationRule(when={"equals": {"container.labels.com.example.tier": "front"}},
                    aggregation_seconds=300.0),
    AggregationRule(when={"contains": {"local_process.cmdline": "--noisy"}},
                    aggregation_seconds=0.0),
)  # fmt: skip


def settings(summarise: dict[str, Any] | None = None, **config: Any) -> Settings:
    return Settings(
        connbeat=ConnbeatConfig(**config), connbeat_summarise=SummariseConfig(**summarise or {})
    )


def volume(made: Settings) -> Volume:
    policy = DocumentPolicy(name="h1", hostname="h1", version="1.0.0")
    builder = DocumentBuilder(policy, DockerHost("h1", ()))
    return build_volume(made, builder, "h", Metrics())


def plans_of(made: Settings) -> Plans:
    return Plans(plan_policy(made), volume(made).describe)


def test_by_default_everything_is_told_singly_every_30_seconds() -> None:
    assert plans_of(settings()).default == Plan(30 * SECOND)
    assert volume(settings()).summaries is None


def test_without_an_interval_everything_is_told_at_every_poll() -> None:
    made = settings(aggregation_seconds=0.0)
    assert plans_of(made).default == Plan(1)
    assert shortest_interval_ns(made) == 1


def test_rules_are_asked_about_what_a_document_would_say() -> None:
    plans = plans_of(settings(aggregation_rules=RULES))
    assert plans.of(Party(process(1), WEB)) == Plan(300 * SECOND)
    assert plans.of(Party(process(1, "app", "--noisy"), None)) == Plan(0)
    assert plans.of(Party(process(1, "app"), None)) == Plan(30 * SECOND)


@pytest.mark.parametrize(
    ("summarise", "aggregation", "seconds"),
    [({}, 60.0, 60), ({"interval_seconds": 5.0}, 60.0, 5), ({}, 0.0, 30)],
)
def test_a_summary_is_of_one_aggregation_unless_it_has_a_time_of_its_own(
    summarise: dict[str, Any], aggregation: float, seconds: int
) -> None:
    made = settings({"enabled": True} | summarise, aggregation_seconds=aggregation)
    assert plans_of(made).default == Plan(int(aggregation * SECOND) or 1, seconds * SECOND)
    assert plan_policy(made).summary_ns == seconds * SECOND
    assert volume(made).summaries is not None


def test_a_budget_needs_summaries_that_nobody_asked_for() -> None:
    made = settings(cpu_budget=25.0)
    assert volume(made).summaries is not None
    assert plans_of(made).default == Plan(30 * SECOND)


def test_a_condition_without_the_switch_changes_nothing() -> None:
    when = {"equals": {"container.name": "web"}}
    assert plans_of(settings({"when": when})).default == Plan(30 * SECOND)
    made = plans_of(settings({"when": when, "enabled": True}))
    assert made.of(Party(process(1), WEB)) == Plan(30 * SECOND, 30 * SECOND)
    assert made.of(Party(process(1), None)) == Plan(30 * SECOND)


@pytest.mark.parametrize(
    ("made", "seconds"),
    [
        (settings(), 30),
        (settings(aggregation_rules=RULES), 30),
        (settings(aggregation_seconds=600.0, aggregation_rules=RULES), 300),
        (settings({"enabled": True, "interval_seconds": 4.0}), 4),
    ],
)
def test_the_shortest_interval_is_how_fresh_counters_have_to_be(
    made: Settings, seconds: int
) -> None:
    assert shortest_interval_ns(made) == seconds * SECOND
