"""The part of a summary's document that is its own."""

from collections.abc import Callable
from typing import Any

from connbeat.model.connections import Moved, Spread, SummaryReport

Document = dict[str, Any]

_MOVED_NOTHING = Moved()


def summary_part(report: SummaryReport, format_time: Callable[[int], str]) -> Document:
    """`summary` of the document; `format_time` takes the report's own kind of time."""
    summary: Document = {
        "id": report.id,
        "reason": report.reason,
        "started_at": format_time(report.began_ns),
        "ended_at": format_time(report.reported_ns),
        "direction": report.direction,
        "netns": report.netns,
        "opened": report.opened,
        "closed": report.closed,
        "open": report.open,
        "failed": sum(count for _, count in report.failures),
        **moved_part(report.moved),
    }
    if report.failures:
        summary["failures"] = dict(report.failures)
    if report.earlier != _MOVED_NOTHING:
        summary["earlier"] = moved_part(report.earlier)
    if report.durations is not None:
        summary["duration_ms"] = _spread_part(report.durations, 1e6)
    if report.rtts is not None:
        summary["rtt_ms"] = _spread_part(report.rtts, 1e3)
    if report.folded:
        summary["folded"] = list(report.folded)
    return summary


def moved_part(moved: Moved) -> Document:
    return {
        "bytes_sent": moved.bytes_sent,
        "bytes_received": moved.bytes_received,
        "retransmits": moved.retransmits,
    }


def _spread_part(spread: Spread, divisor: float) -> Document:
    return {
        "count": spread.count,
        "min": spread.lowest / divisor,
        "max": spread.highest / divisor,
        "sum": spread.total / divisor,
    }
