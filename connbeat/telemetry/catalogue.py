"""The catalogue of metrics as Markdown, for `docs/metrics.md`. Pure."""

from collections.abc import Iterator

from connbeat.telemetry.metrics import Kind, Metric

_HEAD = """\
# Metrics

Made from `connbeat/telemetry/metrics.py` by `scripts/docs`; a test compares.

With `http.enabled: true` these are at `/metrics` in Prometheus' text format, and below
`connbeat.metrics` of `/stats`; those that changed are in the log every `logging.metrics.period`.
How to get at them, what to look at and what to do about it:
[operations](operations.md#monitoring).

A counter only grows and begins at 0 with the agent. A gauge is the present. A histogram has
`_count`, `_sum` and `_bucket` with the label `le`. An info is always 1 and says something by its
labels.
"""
#: The metric each section begins with.
_SECTIONS = {
    Metric.POLLS: "Capture",
    Metric.WALKS: "Attribution",
    Metric.CONNECTIONS: "Connections",
    Metric.CONTAINERS: "Containers",
    Metric.QUEUE_EVENTS: "Queue and delivery",
    Metric.BUILD: "The agent itself",
}


def metrics_reference() -> str:
    """The whole page."""
    return _HEAD + "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    for metric in Metric:
        if metric in _SECTIONS:
            yield from ("", f"## {_SECTIONS[metric]}", "")
            yield from ("| metric | kind | labels | meaning |", "| --- | --- | --- | --- |")
        info = metric.value
        labels = ", ".join(f"`{name}`" for name in info.labels)
        text = info.help
        if info.kind is Kind.HISTOGRAM:
            limits = ", ".join(f"{limit:g}" for limit in info.limits)
            text += f" Up to {limits}."
        yield f"| `{info.name}` | {info.kind} | {labels} | {text} |"
