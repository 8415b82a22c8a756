from connbeat.events.summaries import moved_part, summary_part
from connbeat.model.connections import Moved, Spread
from tests.builders import summary_report


def test_a_summary_without_anything_has_its_counts_alone() -> None:
    assert summary_part(summary_report(), str) == {
        "id": "h-s3-0",
        "reason": "configured",
        "started_at": "0",
        "ended_at": "30000000000",
        "direction": "outbound",
        "netns": 1,
        "opened": 0,
        "closed": 0,
        "open": 0,
        "failed": 0,
        "bytes_sent": 0,
        "bytes_received": 0,
        "retransmits": 0,
    }


def test_a_whole_summary_has_times_in_milliseconds_and_failures_by_reason() -> None:
    report = summary_report(
        failures=(("refused", 2), ("timeout", 1)),
        earlier=Moved(1, 2, 3),
        durations=Spread(2, 1_500_000, 2_500_000, 4_000_000),
        rtts=Spread(3, 20, 300, 400),
        folded=("remote_ip",),
    )
    part = summary_part(report, str)
    assert part["failed"] == 3
    assert part["failures"] == {"refused": 2, "timeout": 1}
    assert part["earlier"] == {"bytes_sent": 1, "bytes_received": 2, "retransmits": 3}
    assert part["duration_ms"] == {"count": 2, "min": 1.5, "max": 2.5, "sum": 4.0}
    assert part["rtt_ms"] == {"count": 3, "min": 0.02, "max": 0.3, "sum": 0.4}
    assert part["folded"] == ["remote_ip"]


def test_what_was_moved_has_the_names_of_a_connection_s_counters() -> None:
    moved = {"bytes_sent": 1, "bytes_received": 2, "retransmits": 3}
    assert moved_part(Moved(1, 2, 3)) == moved
