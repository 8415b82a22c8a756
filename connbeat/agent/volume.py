"""How much is told, as the settings say: intervals by rule, and what is summarised."""

from connbeat.config.schema import Settings
from connbeat.connections.plans import PlanPolicy, Rule
from connbeat.connections.summaries import Summaries
from connbeat.connections.teller import Volume
from connbeat.events.document import Documents
from connbeat.model.conditions import parse_condition
from connbeat.telemetry.metrics import Metrics

#: Where everything is told at every poll, summaries still have an interval.
_USUAL_SECONDS = 30.0


def plan_policy(settings: Settings) -> PlanPolicy:
    """How often what is told."""
    config, summarise = settings.connbeat, settings.connbeat_summarise
    when = summarise.when if summarise.enabled else None
    return PlanPolicy(
        # 0 is at every poll, as it was in the Go program; in a rule it is never.
        interval_ns=_ns(config.aggregation_seconds) or 1,
        rules=tuple(
            Rule(parse_condition(rule.when), _ns(rule.aggregation_seconds))
            for rule in config.aggregation_rules
        ),
        summary_ns=_summary_ns(settings),
        is_summarised=summarise.enabled,
        summarised=None if when is None else parse_condition(when),
    )


def build_volume(
    settings: Settings, builder: Documents, id_prefix: str, metrics: Metrics
) -> Volume:
    """Rules are asked about what `builder` would say of a process and its container."""
    summarise = settings.connbeat_summarise
    summaries = None
    if summarise.enabled or settings.connbeat.cpu_budget:
        summaries = Summaries(id_prefix, summarise.max_keys, metrics)
    return Volume(builder.describe, summaries)


def shortest_interval_ns(settings: Settings) -> int:
    """The shortest time after which a connection's counters are told again."""
    policy = plan_policy(settings)
    rules = [rule.interval_ns for rule in policy.rules if rule.interval_ns]
    intervals = [policy.interval_ns, *rules]
    if policy.is_summarised:
        intervals.append(policy.summary_ns)
    return min(intervals)


def _summary_ns(settings: Settings) -> int:
    seconds = settings.connbeat_summarise.interval_seconds
    return _ns(seconds or settings.connbeat.aggregation_seconds or _USUAL_SECONDS)


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
