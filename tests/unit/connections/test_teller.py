"""What the tests of the tracker do not show of it; the sums are in test_tracker_sums."""

import errno

import msgspec
import pytest

from connbeat.connections.plans import PlanPolicy, Rule
from connbeat.connections.summaries import Summaries
from connbeat.connections.teller import Volume
from connbeat.model.conditions import parse_condition
from connbeat.model.connections import Direction, Party, SummaryReason
from connbeat.model.containers import Container
from connbeat.model.documents import Document
from connbeat.model.traces import Tick, Trace
from connbeat.telemetry.metrics import Metric, Metrics
from tests.builders import SECOND, FakeContainers, address, listening, owned, process, row
from tests.unit.connections.stories import Story

WEB = Container("c" * 64, name="web", runtime="docker")
CALL = row("10.0.0.1:5000", "10.0.0.2:80", cookie=2, inode=2)
OTHER = row("10.0.0.1:5001", "10.0.0.2:80", cookie=3, inode=3)
LISTEN = listening("0.0.0.0:80", cookie=1, inode=1)


def describe(party: Party) -> Document:
    return {"container": {"name": party.container.name if party.container is not None else ""}}


def story(plan: PlanPolicy, *, own_pid: int = 0, with_host: bool = True) -> Story:
    """Inode 2 is of the container web, whatever else is the host's own."""
    metrics = Metrics()
    made = Story(
        containers=FakeContainers([WEB]),
        plan=plan,
        volume=Volume(describe, Summaries("h", 100, metrics)),
        metrics=metrics,
        own_pid=own_pid,
        with_host=with_host,
    )
    made.owners[2] = owned(2, WEB.id)
    return made


ALL = PlanPolicy(interval_ns=30 * SECOND, summary_ns=10 * SECOND, is_summarised=True)
NONE = PlanPolicy(interval_ns=30 * SECOND, summary_ns=10 * SECOND)
WEB_FITS = parse_condition({"equals": {"container.name": "web"}})


def test_everything_but_listeners_is_summarised() -> None:
    one = story(ALL)
    assert one.poll(0, LISTEN) == ["ongoing 0.0.0.0:80"]
    assert one.poll(2, LISTEN, CALL) == []
    assert one.poll(10, LISTEN, CALL)[-1:] == ["summary outbound None 10.0.0.2:80"]
    assert one.poll(31, CALL)[0] == "closed 0.0.0.0:80"
    assert one.metrics.get(Metric.SUMMARISED, kind="opened") == 1
    assert one.metrics.get(Metric.REPORTS, kind="summary") == 2


def test_only_what_the_condition_fits_is_summarised() -> None:
    one = story(
        PlanPolicy(
            interval_ns=30 * SECOND, summary_ns=10 * SECOND, is_summarised=True, summarised=WEB_FITS
        )
    )
    one.poll(0)
    assert one.poll(2, CALL, OTHER) == ["opened 10.0.0.1:5001 > 10.0.0.2:80"]
    assert len(one.poll(10, CALL, OTHER)) == 1
    (summary,) = one.summaries
    assert summary.local.container is WEB


def test_a_rule_says_how_often_what_goes_on_is_told_of() -> None:
    one = story(PlanPolicy(interval_ns=30 * SECOND, rules=(Rule(WEB_FITS, 4 * SECOND),)))
    one.poll(0)
    one.poll(2, CALL, OTHER)
    assert one.poll(6, CALL, OTHER) == ["ongoing 10.0.0.1:5000 > 10.0.0.2:80"]
    assert one.poll(10, CALL, OTHER) == ["ongoing 10.0.0.1:5000 > 10.0.0.2:80"]
    assert len(one.poll(32, CALL, OTHER)) == 2


def test_a_rule_of_no_time_is_never() -> None:
    one = story(PlanPolicy(interval_ns=4 * SECOND, rules=(Rule(WEB_FITS, 0),)))
    one.poll(0)
    one.poll(2, CALL, OTHER)
    assert one.poll(100, CALL, OTHER) == ["ongoing 10.0.0.1:5001 > 10.0.0.2:80"]
    assert "closed 10.0.0.1:5000 > 10.0.0.2:80" in one.poll(102)


def failed() -> Tick:
    trace = Trace(1, Direction.OUTBOUND, SECOND)
    trace.remote_ip, trace.remote_port = address("10.0.0.2:80")
    trace.local_ip, trace.errno, trace.failed_ns = b"\x0a\0\0\1", errno.ECONNREFUSED, 2 * SECOND
    trace.process = process(2, container=WEB.id)
    return Tick(failed=[trace])


@pytest.mark.parametrize(
    ("own_pid", "with_host", "counted"), [(0, True, 2), (2, True, 0), (0, False, 2), (3, True, 2)]
)
def test_what_is_not_to_be_told_is_not_in_a_summary_either(
    own_pid: int, with_host: bool, counted: int
) -> None:
    """One connection and one that failed, of process 2 in a container."""
    one = story(ALL, own_pid=own_pid, with_host=with_host)
    one.poll(0)
    one.poll(2, CALL)
    one.tracker.fold_tick(failed())
    one.poll(4, CALL)
    one.poll(20, is_last=True)
    told = sum(summary.opened + len(summary.failures) for summary in one.summaries)
    assert told == counted
    assert one.metrics.total(Metric.SUMMARISED) == (3 if counted else 0), "and it closed"


def test_the_host_s_own_is_not_counted_where_only_containers_are_told_of() -> None:
    one = story(ALL, with_host=False)
    one.poll(0)
    one.poll(2, OTHER)
    assert one.poll(20, OTHER) == []


def test_nothing_is_told_singly_while_the_agent_sheds_and_everything_when_it_returns() -> None:
    one = story(NONE)
    one.poll(0, LISTEN)
    one.tracker.shed(SummaryReason.CPU_BUDGET)
    one.tracker.fold_tick(failed())
    assert one.poll(2, LISTEN, CALL) == []
    one.tracker.shed(None)
    one.tracker.fold_tick(failed())
    third = one.poll(4, LISTEN, CALL, OTHER)
    assert sorted(third) == [
        "failed 10.0.0.1:0 > 10.0.0.2:80",
        "opened 10.0.0.1:5001 > 10.0.0.2:80",
        "summary outbound None 10.0.0.2:80",
    ]
    (summary,) = one.summaries
    assert summary.reason is SummaryReason.CPU_BUDGET
    assert (summary.opened, summary.open, dict(summary.failures)) == (1, 1, {"refused": 1})


def test_what_is_summarised_is_counted_once_more_when_the_agent_stops() -> None:
    one = story(PlanPolicy(interval_ns=30 * SECOND, summary_ns=1000 * SECOND, is_summarised=True))
    one.poll(0)
    one.poll(2, CALL)
    assert one.poll(4, CALL, is_last=True) == ["summary outbound None 10.0.0.2:80"]
    (summary,) = one.summaries
    assert (summary.opened, summary.open, summary.closed) == (1, 1, 0)


def test_an_owner_nobody_knows_is_counted_as_such_in_a_summary_too() -> None:
    one = story(ALL)
    one.poll(0)
    dying = row("10.0.0.1:5002", "10.0.0.2:80", cookie=4)
    one.poll(2, dying)
    assert one.metrics.get(Metric.OWNERS_UNKNOWN, reason="no_inode") == 1


def test_a_new_plan_brings_forward_what_waits_and_wakes_what_was_never_to_be_told() -> None:
    never = Rule(WEB_FITS, 0)
    one = story(PlanPolicy(interval_ns=100 * SECOND, rules=(never,)))
    one.poll(0)
    one.poll(2, CALL, OTHER)
    often = msgspec.structs.replace(one.tracker._policy, plan=PlanPolicy(interval_ns=4 * SECOND))
    one.tracker.set_policy(often, 3 * SECOND)
    told = one.poll(4, CALL, OTHER) + one.poll(6, CALL, OTHER)
    assert sorted(told) == [
        "ongoing 10.0.0.1:5000 > 10.0.0.2:80",
        "ongoing 10.0.0.1:5001 > 10.0.0.2:80",
    ]
    silent = msgspec.structs.replace(often, plan=PlanPolicy(interval_ns=0))
    one.tracker.set_policy(silent, 8 * SECOND)
    assert one.poll(100, CALL, OTHER) == []


def test_a_new_plan_is_that_of_what_is_told_next() -> None:
    one = story(PlanPolicy(interval_ns=100 * SECOND))
    one.poll(0)
    policy = msgspec.structs.replace(
        one.tracker._policy, plan=PlanPolicy(interval_ns=100 * SECOND, rules=(Rule(WEB_FITS, 4),))
    )
    one.tracker.set_policy(policy, SECOND)
    one.poll(2, CALL, OTHER)
    assert one.poll(8, CALL, OTHER) == ["ongoing 10.0.0.1:5000 > 10.0.0.2:80"]
