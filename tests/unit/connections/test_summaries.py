from collections.abc import Iterator

import pytest

from connbeat.connections.life import Life, begin, key_of
from connbeat.connections.summaries import Summaries
from connbeat.model.addresses import parse_ip
from connbeat.model.connections import (
    Direction,
    EventKind,
    Moved,
    Party,
    Spread,
    SummaryReason,
    SummaryReport,
)
from connbeat.model.containers import Container
from connbeat.model.traces import Trace
from connbeat.telemetry.metrics import Metric, Metrics
from tests.builders import SECOND, counters, process, row

WEB = Container("c" * 64, name="web")
CURL = Party(process(7, "curl"), WEB)
OPENED, ONGOING, CLOSED = EventKind.OPENED, EventKind.ONGOING, EventKind.CLOSED
CONFIGURED, BUDGET = SummaryReason.CONFIGURED, SummaryReason.CPU_BUDGET


class Desk:
    """Summaries of 10 s; their first interval began at second 1."""

    def __init__(self, max_keys: int = 100) -> None:
        self.metrics = Metrics()
        self.summaries = Summaries("h", max_keys, self.metrics)
        self.summaries.begin(SECOND)

    def take(self, life: Life, kind: EventKind, reason: SummaryReason = CONFIGURED) -> None:
        self.summaries.take(life, kind, CURL, reason)

    def flush(self, second: int = 11, *, is_all: bool = False) -> list[SummaryReport]:
        found: Iterator[SummaryReport] = self.summaries.flush(
            second * SECOND, 10 * SECOND, is_all=is_all
        )
        return list(found)


def life(
    number: int = 1, *, direction: Direction = Direction.OUTBOUND, sent: int = 74, rtt_us: int = 50
) -> Life:
    socket = row(
        f"10.0.0.1:{5000 + number}",
        "10.0.0.2:80",
        cookie=number,
        counters=counters(sent, 10 * sent, rtt_us=rtt_us),
    )
    made = begin(1, key_of(socket), socket, 1)
    made.direction = direction
    made.is_table_older = True
    return made


def closed(number: int, milliseconds: int, rtt_us: int = 50) -> Life:
    made = life(number, rtt_us=rtt_us)
    made.opened_ns, made.closed_ns = SECOND, SECOND + milliseconds * 1_000_000
    return made


def test_many_short_connections_are_one_summary() -> None:
    desk = Desk()
    for number in range(1, 101):
        desk.take(closed(number, number, rtt_us=number % 3), CLOSED)
    (summary,) = desk.flush()
    assert summary == SummaryReport(
        id="h-s28fa6ae00-0",
        began_ns=SECOND,
        reported_ns=11 * SECOND,
        netns=1,
        reason=CONFIGURED,
        local=CURL,
        local_ip=parse_ip("10.0.0.1"),
        direction=Direction.OUTBOUND,
        local_port=None,
        remote_ip=parse_ip("10.0.0.2"),
        remote_port=80,
        folded=(),
        opened=100,
        closed=100,
        open=0,
        failures=(),
        moved=Moved(7400, 74000, 0),
        earlier=Moved(),
        durations=Spread(100, 1_000_000, 100_000_000, 5_050_000_000),
        rtts=Spread(67, 1, 2, 100),
    )
    assert summary.event_id == summary.id
    assert desk.metrics.get(Metric.REPORTS, kind="summary") == 1


@pytest.mark.parametrize(
    ("direction", "common"),
    [
        (Direction.OUTBOUND, (None, parse_ip("10.0.0.2"), 80)),
        (Direction.INBOUND, (5001, parse_ip("10.0.0.2"), None)),
        (Direction.UNKNOWN, (None, parse_ip("10.0.0.2"), None)),
    ],
)
def test_what_connections_have_in_common_depends_on_who_called(
    direction: Direction, common: tuple[object, ...]
) -> None:
    desk = Desk()
    desk.take(life(direction=direction), OPENED)
    (summary,) = desk.flush()
    assert (summary.local_port, summary.remote_ip, summary.remote_port) == common


def test_a_summary_comes_when_its_interval_is_over_and_then_the_next_begins() -> None:
    desk, one = Desk(), life()
    desk.take(one, OPENED)
    assert desk.flush(10) == []
    (first,) = desk.flush(12)
    (second,) = desk.flush(22)
    assert (first.began_ns, first.reported_ns) == (SECOND, 12 * SECOND)
    assert (second.began_ns, second.reported_ns) == (12 * SECOND, 22 * SECOND)
    assert first.id != second.id
    assert (first.opened, first.open, second.opened, second.open) == (1, 1, 0, 1)
    assert second.moved == Moved()


def test_a_group_ends_with_its_last_connection() -> None:
    desk, one = Desk(), life()
    desk.take(one, OPENED)
    desk.flush(11)
    one.closed_ns = 12 * SECOND
    desk.take(one, CLOSED)
    (summary,) = desk.flush(21)
    assert (summary.opened, summary.closed, summary.open) == (0, 1, 0)
    assert desk.flush(31) == []
    assert desk.metrics.get(Metric.SUMMARY_GROUPS) == 0


def test_what_was_there_before_the_agent_did_not_open_and_its_bytes_are_told_apart() -> None:
    desk, before, unknown = Desk(), life(1, sent=500), life(2, sent=70)
    before.was_here = True
    unknown.is_table_older, unknown.closed_ns = False, SECOND
    desk.take(before, ONGOING)
    desk.take(unknown, CLOSED)
    (summary,) = desk.flush()
    assert (summary.opened, summary.closed, summary.open) == (0, 1, 1)
    assert (summary.moved, summary.earlier) == (Moved(), Moved(570, 5700, 0))


def test_a_connection_that_is_found_to_be_inbound_changes_its_group() -> None:
    desk, one = Desk(), life(direction=Direction.UNKNOWN)
    desk.take(one, OPENED)
    desk.flush(11)
    one.direction = Direction.INBOUND
    desk.take(one, ONGOING)
    (summary,) = desk.flush(21)
    assert (summary.direction, summary.open) == (Direction.INBOUND, 1)


def test_failed_connects_are_counted_by_reason() -> None:
    desk, trace = Desk(), Trace(1, Direction.OUTBOUND, SECOND)
    trace.remote_ip, trace.remote_port, trace.local_ip = parse_ip("10.0.0.2"), 80, b"\x0a\0\0\1"
    for failure in ("refused", "timeout", "refused"):
        desk.summaries.take_failed(trace, failure, CURL, CONFIGURED)
    desk.take(closed(1, 1), CLOSED)
    trace.process = process(7, "curl")
    desk.summaries.take_failed(trace, "refused", CURL, CONFIGURED)
    in_no_namespace, summary = desk.flush()
    assert dict(in_no_namespace.failures) == {"refused": 2, "timeout": 1}
    assert (dict(summary.failures), summary.closed) == ({"refused": 1}, 1)


def test_when_the_agent_sheds_no_more_only_the_user_s_groups_go_on() -> None:
    desk = Desk()
    desk.take(life(1), OPENED, CONFIGURED)
    desk.take(life(2), OPENED, BUDGET)
    found = {summary.reason: summary.open for summary in desk.flush(2, is_all=True)}
    assert found == {CONFIGURED: 1, BUDGET: 1}
    assert [summary.reason for summary in desk.flush(13)] == [CONFIGURED]


def test_what_has_no_group_of_its_own_is_counted_and_its_summary_says_so() -> None:
    desk = Desk(max_keys=8)
    for number in range(1, 21):
        one = life(number, direction=Direction.INBOUND)
        one.closed_ns = SECOND
        desk.take(one, CLOSED)
    found = desk.flush()
    assert sum(summary.closed for summary in found) == 20
    (coarse,) = (summary for summary in found if len(summary.folded) == 2)
    assert (coarse.folded, coarse.closed) == (("remote_ip", "local_port"), 14)
    assert (coarse.local_port, coarse.remote_ip, coarse.local) == (None, None, CURL)
    assert desk.metrics.total(Metric.SUMMARY_FOLDED) == 16
