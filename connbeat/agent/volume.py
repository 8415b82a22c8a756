"""How much is told, as the settings say: intervals by rule, and what is summarised."""

from connbeat.config.schema import Settings
from connbeat.connections.plans import PlanPolicy, Plans, Rule
from connbeat.connections.summaries import Summaries
from connbeat.connections.teller import Volume
from connbeat.events.document import DocumentBuilder
from connbeat.model.conditions import parse_condition
from connbeat.telemetry.metrics import Metrics

#: Where nothing that goes on is told of, summaries still have an interval.
_USUAL_SECONDS = 30.0


def build_volume(
    settings: Settings, builder: DocumentBuilder, id_prefix: str, metrics: Metrics
) -> Volume:
    """Rules are asked about what `builder` would say of a process and its container."""
    config, summarise = settings.connbeat, settings.connbeat_summarise
    interval_ns = _summary_ns(settings)
    policy = PlanPolicy(
        interval_ns=_ns(config.aggregation_seconds),
        rules=tuple(
            Rule(parse_condition(rule.when), _ns(rule.aggregation_seconds))
            for rule in config.aggregation_rules
        ),
        summary_ns=interval_ns if summarise.enabled else 0,
        summarised=parse_condition(summarise.when)
        if summarise.enabled and summarise.when is not None
        else None,
    )
    summaries = None
    if summarise.enabled or config.cpu_budget:
        summaries = Summaries(id_prefix, interval_ns, summarise.max_keys, metrics)
    return Volume(Plans(policy, builder.describe), summaries)


def shortest_interval_ns(settings: Settings) -> int:
    """The shortest time after which a connection's counters are told again."""
    config = settings.connbeat
    seconds = [
        config.aggregation_seconds,
        *(rule.aggregation_seconds for rule in config.aggregation_rules),
    ]
    intervals = [_ns(each) for each in seconds if each]
    if settings.connbeat_summarise.enabled or not intervals:
        intervals.append(_summary_ns(settings))
    return min(intervals)


def _summary_ns(settings: Settings) -> int:
    seconds = settings.connbeat_summarise.interval_seconds
    return _ns(seconds or settings.connbeat.aggregation_seconds or _USUAL_SECONDS)


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
