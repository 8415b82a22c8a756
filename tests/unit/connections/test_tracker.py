import errno

import msgspec
import pytest

from connbeat.connections import tracker as module
from connbeat.connections.plans import PlanPolicy
from connbeat.model.connections import ConnectionReport, Direction, DirectionSource, EventKind
from connbeat.model.containers import Container
from connbeat.model.processes import Attribution, ContainerRef, Process, UnknownReason
from connbeat.model.sockets import Socket, SocketSource, TcpState
from connbeat.model.traces import Close, Tick, Trace
from connbeat.telemetry.metrics import Metric
from tests.builders import (
    HOST_NETNS,
    SECOND,
    FakeContainers,
    counters,
    listening,
    owned,
    process,
    row,
    snapshot,
)
from tests.unit.connections.stories import Story, steps

PROC = SocketSource.PROC_NET_TCP

WEB = listening("0.0.0.0:80", cookie=1, inode=1)
CALL = row("10.0.0.1:5000", "10.0.0.2:80", cookie=2, inode=2)


def later(known: Socket, state: TcpState, **changes: object) -> Socket:
    return msgspec.structs.replace(known, state=state, **changes)


def dead(known: Socket) -> Socket:
    """The row of the same connection in TIME_WAIT: no inode, no counters."""
    return later(known, TcpState.TIME_WAIT, inode=0, counters=None)


def assert_empty(story: Story) -> None:
    """Nothing is kept for connections that are gone."""
    tracker = story.tracker
    assert len(tracker) == len(tracker._pairs) == 0
    assert [*tracker._born, *tracker._new, *tracker._accepted, *tracker._closed] == []
    for namespace in tracker._namespaces.values():
        assert not namespace.lives
        assert len(namespace.listeners) == 0


# A life: opened, ongoing, closed


def test_a_life_is_opened_ongoing_every_aggregation_and_closed() -> None:
    story = Story(aggregation=30)
    assert story.poll(0) == []
    assert story.poll(2, CALL) == ["opened 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.poll(4, CALL) == []
    assert story.poll(31, CALL) == []
    assert story.poll(32, CALL) == ["ongoing 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.poll(60, CALL) == []
    assert story.poll(62, CALL) == ["ongoing 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.poll(64) == ["closed 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.poll(100) == []


def test_a_new_policy_counts_from_now_on() -> None:
    story = Story(aggregation=30)
    story.poll(0)
    story.poll(2, CALL)
    policy = story.tracker._policy
    now_ns = 3 * SECOND
    story.tracker.set_policy(
        msgspec.structs.replace(policy, plan=PlanPolicy(interval_ns=10 * SECOND)), now_ns
    )
    assert story.poll(8, CALL) == []
    assert story.poll(12, CALL) == ["ongoing 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.poll(22, CALL) == ["ongoing 10.0.0.1:5000 > 10.0.0.2:80"]
    quiet = msgspec.structs.replace(story.tracker._policy, with_host=False)
    story.tracker.set_policy(quiet, 24 * SECOND)
    assert story.poll(40, CALL) == []


def test_a_life_says_when_it_opened_and_when_it_closed() -> None:
    story = Story()
    story.poll(0)
    story.poll(2, CALL)
    opened_ns = story.report.reported_ns
    assert (story.report.opened_ns, story.report.closed_ns) == (opened_ns, None)
    story.poll(9)
    assert story.report.opened_ns == opened_ns
    assert story.report.closed_ns == story.report.reported_ns == opened_ns + 7_000_000_000
    assert story.connection.state == "closed"


def test_a_listener_has_the_same_life() -> None:
    story = Story()
    story.poll(0)
    assert story.poll(2, WEB) == ["opened 0.0.0.0:80"]
    assert story.poll(32, WEB) == ["ongoing 0.0.0.0:80"]
    assert story.poll(34) == ["closed 0.0.0.0:80"]


def test_what_was_there_before_the_agent_is_ongoing_and_nobody_knows_since_when() -> None:
    story = Story()
    assert story.poll(0, CALL) == ["ongoing 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.report.opened_ns is None
    assert story.poll(2) == ["closed 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.report.opened_ns is None


def test_a_namespace_that_comes_later_was_not_there_before() -> None:
    story = Story()
    story.poll(0)
    assert story.poll(2, snapshot(WEB, netns=5)) == ["opened 0.0.0.0:80"]


def test_what_a_first_incomplete_snapshot_missed_was_there_before_as_well() -> None:
    story = Story()
    assert story.poll(0, snapshot(WEB, is_complete=False)) == ["ongoing 0.0.0.0:80"]
    assert story.poll(2, WEB, CALL) == ["ongoing 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.report.opened_ns is None


def test_what_was_there_before_is_spread_over_the_first_interval() -> None:
    story = Story(aggregation=30)
    crowd = [row(f"10.0.0.1:{port}", "10.0.0.2:80", cookie=port, inode=port) for port in range(600)]
    assert len(story.poll(0, *crowd)) == 600
    per_poll = [len(story.poll(second, *crowd)) for second in range(2, 34, 2)]
    assert sum(per_poll) >= 600
    assert max(per_poll) <= 600 / 15 * 1.5


def test_one_that_opened_and_closed_between_two_polls_is_one_closed_event() -> None:
    story = Story()
    story.poll(0)
    assert story.poll(2, dead(CALL)) == ["closed 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.report.opened_ns is None
    assert story.report.local.owner is UnknownReason.NO_INODE


def test_a_time_wait_row_is_told_once() -> None:
    story = Story()
    story.poll(0)
    assert len(story.poll(2, dead(CALL))) == 1
    assert story.poll(4, dead(CALL)) == []
    assert story.poll(6, snapshot(is_complete=False)) == []
    assert story.poll(8, dead(CALL)) == []
    assert story.poll(10) == []
    assert len(story.tracker) == 0


def test_time_wait_rows_from_before_the_agent_are_silent() -> None:
    story = Story()
    assert story.poll(0, dead(CALL)) == []
    assert story.poll(2, dead(CALL)) == []
    assert story.poll(4) == []


def test_time_wait_ends_a_life_and_is_not_told_again() -> None:
    story = Story()
    story.poll(0)
    story.poll(2, CALL)
    assert story.poll(4, dead(CALL)) == ["closed 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.poll(6, dead(CALL)) == []
    assert story.poll(8) == []


def test_time_wait_ends_a_life_also_in_an_incomplete_snapshot() -> None:
    story = Story()
    story.poll(0, WEB, CALL)
    torn = snapshot(dead(CALL), is_complete=False)
    assert story.poll(2, torn) == ["closed 10.0.0.1:5000 > 10.0.0.2:80"]


def test_an_incomplete_snapshot_closes_nobody() -> None:
    story = Story()
    story.poll(0, WEB, CALL)
    assert story.poll(2, snapshot(WEB, is_complete=False)) == []
    assert story.poll(4, WEB, CALL) == []
    assert story.poll(6, WEB) == ["closed 10.0.0.1:5000 > 10.0.0.2:80"]


def test_a_row_that_comes_twice_is_one_connection() -> None:
    story = Story()
    story.poll(0)
    assert len(story.poll(2, CALL, CALL)) == 1
    assert story.poll(4, CALL, dead(CALL)) == ["closed 10.0.0.1:5000 > 10.0.0.2:80"]


def test_a_namespace_that_is_gone_takes_everything_along() -> None:
    story = Story()
    there = snapshot(WEB, CALL, netns=7)
    story.poll(0, there)
    assert sorted(story.poll(2, gone=[7])) == [
        "closed 0.0.0.0:80",
        "closed 10.0.0.1:5000 > 10.0.0.2:80",
    ]
    assert len(story.tracker) == 0
    assert story.poll(4, there) == ["opened 0.0.0.0:80", "opened 10.0.0.1:5000 > 10.0.0.2:80"]


def test_a_namespace_that_was_not_read_is_as_it_was() -> None:
    story = Story()
    story.poll(0, snapshot(WEB, netns=7))
    assert story.poll(2, snapshot(netns=8)) == []
    assert len(story.tracker) == 1


def test_a_namespace_nobody_knew_may_be_gone() -> None:
    assert Story().poll(0, gone=[99]) == []


def test_syn_recv_is_a_connection_and_a_socket_that_never_connected_is_none() -> None:
    story = Story()
    story.poll(0)
    assert story.poll(2, later(CALL, TcpState.CLOSE)) == []
    assert story.poll(4, later(CALL, TcpState.SYN_RECV, inode=0)) == [
        "opened 10.0.0.1:5000 > 10.0.0.2:80"
    ]


def test_a_connect_that_never_got_an_answer_ends_as_syn_sent() -> None:
    story = Story()
    story.poll(0)
    story.poll(2, later(CALL, TcpState.SYN_SENT))
    story.poll(4)
    assert story.connection.state == "syn_sent"


def test_a_poll_can_come_more_often_than_the_aggregation_wants() -> None:
    story = Story(aggregation=1)
    story.poll(0)
    assert story.poll(2, CALL) == ["opened 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.poll(4, CALL) == ["ongoing 10.0.0.1:5000 > 10.0.0.2:80"]


def test_without_an_aggregation_what_goes_on_is_told_of_at_its_end() -> None:
    story = Story(aggregation=0)
    story.poll(0)
    assert story.poll(2, CALL) == ["opened 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.poll(1000, CALL) == []
    assert story.poll(1002) == ["closed 10.0.0.1:5000 > 10.0.0.2:80"]


# Identity


def test_the_id_stays_and_the_ids_of_events_never_repeat() -> None:
    story = Story(aggregation=2)
    story.poll(0)
    connections: set[str] = set()
    events: list[str] = []
    for second in range(2, 40, 2):
        story.poll(second, CALL)
        connections |= {report.id for report in story.reports}
        events += [report.event_id for report in story.reports]
    story.poll(40)
    events.append(story.report.event_id)
    assert connections == {story.report.id} == {f"h-{HOST_NETNS:x}-2"}
    assert len(set(events)) == len(events) > 10


def test_a_socket_that_connects_again_is_another_connection() -> None:
    """A connect() that failed is often tried again with the same socket, so with its cookie."""
    story = Story()
    story.poll(0)
    story.poll(2, later(CALL, TcpState.SYN_SENT))
    first = story.report.id
    again = row("10.0.0.1:5001", "10.0.0.2:80", cookie=2, inode=2)
    assert story.poll(4, again) == [
        "opened 10.0.0.1:5001 > 10.0.0.2:80",
        "closed 10.0.0.1:5000 > 10.0.0.2:80",
    ]
    assert len({report.id for report in story.reports} | {first}) == 2
    assert story.poll(6) == ["closed 10.0.0.1:5001 > 10.0.0.2:80"]
    assert_empty(story)


def test_without_cookies_the_same_addresses_with_another_inode_are_another_connection() -> None:
    story = Story()
    first = row("10.0.0.1:5000", "10.0.0.2:80", inode=2)
    second = row("10.0.0.1:5000", "10.0.0.2:80", inode=3)
    story.poll(0, snapshot(source=PROC))
    story.poll(2, snapshot(first, source=PROC))
    assert story.poll(4, snapshot(second, source=PROC)) == [
        "opened 10.0.0.1:5000 > 10.0.0.2:80",
        "closed 10.0.0.1:5000 > 10.0.0.2:80",
    ]
    pids = [getattr(report.local.owner, "pid", None) for report in story.reports]
    assert pids == [3, 2]
    assert len({report.id for report in story.reports}) == 2


@pytest.mark.parametrize("cookies", [(11, 12), (0, 0)])
def test_listeners_that_share_an_address_stay_apart(cookies: tuple[int, int]) -> None:
    both = [
        listening("0.0.0.0:80", cookie=cookie, inode=inode)
        for cookie, inode in zip(cookies, (21, 22), strict=True)
    ]
    story = Story()
    assert len(story.poll(0, *both)) == 2
    assert len({report.id for report in story.reports}) == 2
    assert story.poll(2, both[1]) == ["closed 0.0.0.0:80"]


@pytest.mark.parametrize("is_climb", [True, False])
def test_a_change_of_rung_carries_every_life_over(is_climb: bool) -> None:
    orphan = row("10.0.0.1:5001", "10.0.0.2:80", cookie=3, inode=0)
    dumped = snapshot(WEB, CALL, orphan)
    listed = snapshot(
        *(msgspec.structs.replace(socket, cookie=0) for socket in dumped.sockets), source=PROC
    )
    before, after = (listed, dumped) if is_climb else (dumped, listed)
    story = Story()
    story.poll(0, before)
    ids = {report.id for report in story.reports}
    assert story.poll(2, after) == []
    story.poll(33, after)
    assert {report.id for report in story.reports} == ids
    assert len(story.poll(64, snapshot(source=after.source))) == 3
    assert_empty(story)


def test_a_life_whose_inode_went_is_carried_over_too() -> None:
    story = Story()
    story.poll(0, CALL)
    orphan = msgspec.structs.replace(CALL, cookie=0, inode=0)
    assert story.poll(2, snapshot(orphan, source=PROC)) == []


def test_a_change_of_rung_carries_nobody_over_who_has_closed() -> None:
    story = Story()
    story.poll(0, WEB, CALL)
    listed = snapshot(msgspec.structs.replace(WEB, cookie=0), source=PROC)
    assert story.poll(2, listed) == ["closed 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.poll(4, snapshot(source=PROC)) == ["closed 0.0.0.0:80"]
    assert_empty(story)


def test_two_devices_with_one_pair_of_addresses_survive_a_change_of_rung() -> None:
    twin = msgspec.structs.replace(CALL, cookie=9, inode=9, interface=4)
    story = Story()
    story.poll(0, CALL, twin)
    assert len(story.tracker) == 2
    told = story.poll(2, snapshot(msgspec.structs.replace(twin, cookie=0), source=PROC))
    told += story.poll(4, snapshot(source=PROC))
    assert told == ["closed 10.0.0.1:5000 > 10.0.0.2:80"] * 2
    assert_empty(story)


def test_a_change_of_rung_tells_no_time_wait_row_again() -> None:
    story = Story()
    story.poll(0)
    assert len(story.poll(2, dead(CALL))) == 1
    listed = msgspec.structs.replace(dead(CALL), cookie=0)
    assert story.poll(4, snapshot(listed, source=PROC)) == []
    other = row("10.0.0.1:5009", "10.0.0.2:80", state=TcpState.TIME_WAIT)
    assert len(story.poll(6, snapshot(listed, other, source=PROC))) == 1


def test_after_a_fall_to_a_rung_without_counters_there_are_none_rather_than_old_ones() -> None:
    counted = msgspec.structs.replace(CALL, counters=counters(sent=5))
    story = Story()
    story.poll(0, counted)
    listed = msgspec.structs.replace(CALL, cookie=0)
    story.poll(2, snapshot(listed, source=PROC))
    story.poll(4, snapshot(source=PROC))
    assert story.connection.counters is None


# Counters, owners


def test_the_counters_are_the_last_there_were() -> None:
    story = Story()
    story.poll(0)
    story.poll(2, msgspec.structs.replace(CALL, counters=counters(sent=5)))
    story.poll(4, msgspec.structs.replace(CALL, counters=counters(sent=7)))
    story.poll(6, later(CALL, TcpState.FIN_WAIT2, inode=0))
    story.poll(8)
    assert story.connection.counters == counters(sent=7)


def test_a_life_without_an_owner_yet_waits_and_is_told_at_the_next_poll() -> None:
    story = Story()
    story.undecided = {2}
    story.poll(0)
    assert story.poll(2, CALL) == []
    story.undecided = set()
    assert story.poll(4, CALL) == ["opened 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.report.opened_ns == story.report.reported_ns - 2_000_000_000


def test_at_the_last_poll_nothing_waits_for_an_owner() -> None:
    story = Story()
    story.undecided = {2}
    story.poll(0)
    assert story.poll(2, CALL, is_last=True) == ["opened 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.report.local.owner is UnknownReason.NOT_FOUND


def test_at_the_last_poll_one_whose_owner_ended_is_told_as_that_owners() -> None:
    story = Story(aggregation=2)
    story.poll(0)
    story.poll(2, CALL)
    story.ended = {2}
    assert story.poll(6, CALL, is_last=True) == ["ongoing 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.report.local.owner == owned(2).owner


def test_a_life_that_ends_while_it_waits_is_one_closed_event() -> None:
    story = Story()
    story.undecided = {2}
    story.poll(0)
    story.poll(2, CALL)
    assert story.poll(4) == ["closed 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.report.local.owner is UnknownReason.EXITED
    assert story.poll(6) == []


def test_an_owner_is_asked_for_once() -> None:
    story = Story()
    story.poll(0, CALL)
    assert [wanted.inode for wanted in story.asked] == [2]
    story.poll(2, CALL)
    assert story.asked == []


def test_the_listener_s_owner_is_asked_first_for_an_accepted_connection() -> None:
    story = Story()
    story.poll(0, WEB)
    story.poll(2, WEB, row("10.0.0.2:80", "10.0.0.1:5000", cookie=3, inode=3))
    assert [(wanted.inode, wanted.likely_pid) for wanted in story.asked] == [(3, 1)]


def test_an_orphan_keeps_the_process_that_left_it() -> None:
    story = Story(aggregation=4)
    story.poll(0)
    story.poll(2, msgspec.structs.replace(CALL, counters=counters()))
    story.ended = {2}
    # Without counters, so the last row that had some still names the inode.
    orphan = later(CALL, TcpState.FIN_WAIT2, inode=0)
    assert story.poll(6, orphan) == ["ongoing 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.asked == []
    assert story.report.local.owner == process(2)
    story.poll(8)
    assert story.report.local.owner == process(2)


def test_an_owner_that_ended_while_its_socket_is_held_is_asked_for_again() -> None:
    story = Story(aggregation=4)
    story.poll(0)
    story.poll(2, CALL)
    story.ended = {2}
    assert story.poll(6, CALL) == []
    story.owners[2] = owned(33)  # a child that inherited it
    assert story.poll(8, CALL) == ["ongoing 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.report.local.owner == process(33)
    assert story.poll(12, CALL) == ["ongoing 10.0.0.1:5000 > 10.0.0.2:80"]


def test_a_connection_that_ends_with_its_owner_stays_its_owners() -> None:
    """Killed between the dump and the look at the process, and the namespace went with it."""
    story = Story(aggregation=4)
    there = snapshot(CALL, netns=7)
    container = "c" * 64
    story.owners[2] = owned(2, container)
    story.poll(0)
    story.poll(2, there)
    story.ended = {2}
    assert story.poll(6, there) == []
    story.undecided = {2}
    assert story.poll(8, gone=[7]) == ["closed 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.report.local.owner == process(2, container=container)
    assert story.report.local.container == Container(container, runtime="docker")


class Execs(Story):
    """Every process has called exec since it was last looked at."""

    def current(self, process: Process, _now_ns: int) -> Process | None:
        ref = ContainerRef("c" * 64, "docker")
        return msgspec.structs.replace(process, binary="new", container=ref)


def test_an_owner_is_named_as_it_is_now() -> None:
    story = Execs(aggregation=4)
    story.poll(0, CALL)
    story.poll(6, CALL)
    owner, container = story.report.local.owner, story.report.local.container
    assert isinstance(owner, Process)
    assert owner.binary == "new"
    assert container == Container("c" * 64, runtime="docker")


def test_a_connection_accepted_later_gets_the_owner_it_has_then() -> None:
    """In the backlog nobody holds it and the listener's owner stands for it."""
    story = Story()
    story.poll(0, WEB)
    waiting = row("10.0.0.2:80", "10.0.0.1:5000", cookie=3)
    assert story.poll(2, WEB, waiting) == ["opened 10.0.0.2:80 > 10.0.0.1:5000"]
    assert story.report.local.owner == process(1)
    accepted = msgspec.structs.replace(waiting, inode=3)
    assert story.poll(4, WEB, accepted) == []
    assert [wanted.inode for wanted in story.asked] == [3]
    assert story.poll(6, WEB) == ["closed 10.0.0.2:80 > 10.0.0.1:5000"]
    assert story.report.local.owner == process(3)


def test_a_connection_accepted_later_whose_owner_is_in_doubt_is_told_when_it_is_not() -> None:
    story = Story(aggregation=4)
    story.poll(0, WEB)
    waiting = row("10.0.0.2:80", "10.0.0.1:5000", cookie=3)
    story.poll(2, WEB, waiting)
    story.undecided = {3}
    accepted = msgspec.structs.replace(waiting, inode=3)
    assert "ongoing 10.0.0.2:80 > 10.0.0.1:5000" not in story.poll(6, WEB, accepted)
    story.undecided = set()
    assert "ongoing 10.0.0.2:80 > 10.0.0.1:5000" in story.poll(8, WEB, accepted)
    assert story.connection.local.owner == process(3)


def test_one_that_ends_with_its_namespace_before_its_owner_is_known_is_not_asked_for_again() -> (
    None
):
    story = Story()
    waiting = row("10.0.0.2:80", "10.0.0.1:5000", cookie=3)
    story.poll(0, snapshot(WEB, waiting, netns=7))
    story.undecided = {3}
    accepted = msgspec.structs.replace(waiting, inode=3)
    story.poll(2, snapshot(WEB, accepted, netns=7))
    story.poll(4, gone=[7])
    assert story.poll(6) == []
    assert story.asked == []
    assert_empty(story)


def test_an_owner_of_an_accepted_connection_that_is_in_doubt_is_asked_for_at_every_poll() -> None:
    story = Story()
    story.poll(0, WEB)
    waiting = row("10.0.0.2:80", "10.0.0.1:5000", cookie=3)
    story.poll(2, WEB, waiting)
    accepted = msgspec.structs.replace(waiting, inode=3)
    story.undecided = {3}
    story.poll(4, WEB, accepted)
    story.undecided = set()
    story.poll(6, WEB, accepted)
    assert story.poll(8, WEB)[-1] == "closed 10.0.0.2:80 > 10.0.0.1:5000"
    assert story.reports[-1].local.owner == process(3)


# Who is told of


def test_the_agent_s_own_connections_are_left_out() -> None:
    story = Story(own_pid=2)
    assert story.poll(0, WEB, CALL) == ["ongoing 0.0.0.0:80"]
    assert story.poll(2) == ["closed 0.0.0.0:80"]
    assert story.metrics.total(Metric.REPORTS) == 2


def test_without_the_host_only_what_belongs_to_a_container_is_told() -> None:
    inside = row("172.17.0.2:5000", "10.0.0.2:80", cookie=4, inode=4)
    story = Story(with_host=False)
    story.owners[4] = owned(4, "c" * 64)
    story.owners[5] = Attribution(UnknownReason.NOT_FOUND, ContainerRef("c" * 64, "docker"))
    unknown = row("172.17.0.2:5001", "10.0.0.2:80", cookie=5, inode=5)
    assert story.poll(0, CALL, inside, unknown) == [
        "ongoing 172.17.0.2:5000 > 10.0.0.2:80",
        "ongoing 172.17.0.2:5001 > 10.0.0.2:80",
    ]


# Limits and memory


def test_beyond_the_limit_connections_are_counted_once_and_not_taken_up() -> None:
    crowd = [row(f"10.0.0.1:{port}", "10.0.0.2:80", cookie=port, inode=port) for port in (1, 2, 3)]
    story = Story(limit=2)
    story.poll(0)
    assert len(story.poll(2, *crowd, crowd[2])) == 2
    assert story.poll(4, *crowd) == []
    assert story.metrics.get(Metric.CONNECTIONS_OVER_LIMIT) == 1
    assert len(story.tracker) == 2


def test_one_that_is_taken_up_late_was_there_before() -> None:
    first, second = CALL, row("10.0.0.1:5001", "10.0.0.2:80", cookie=3, inode=3)
    story = Story(limit=1)
    story.poll(0)
    story.poll(2, first, second)
    assert story.poll(4, second) == ["closed 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.poll(6, second) == ["ongoing 10.0.0.1:5001 > 10.0.0.2:80"]
    assert story.report.opened_ns is None


def test_the_limit_is_for_all_namespaces_together() -> None:
    story = Story(limit=2)
    story.poll(0, snapshot(WEB, netns=7), snapshot(WEB, CALL, netns=8))
    assert len(story.tracker) == 2
    assert story.metrics.get(Metric.CONNECTIONS_OVER_LIMIT) == 1


def test_short_connections_are_told_also_at_the_limit() -> None:
    story = Story(limit=1)
    story.poll(0, WEB)
    assert story.poll(2, WEB, dead(CALL)) == ["closed 10.0.0.1:5000 > 10.0.0.2:80"]


def test_closed_lives_are_let_go_of_before_a_long_aggregation_is_over() -> None:
    story = Story(aggregation=86_400)
    story.poll(0)
    for second in range(50):
        crowd = [
            row(f"10.0.0.1:{port}", "10.0.0.2:80", cookie=second * 100 + port, inode=port)
            for port in range(1, 101)
        ]
        story.poll(second + 1, *crowd)
    assert len(story.tracker) == 100
    assert len(story.tracker._schedule) < 1400


def test_the_numbers_are_those_of_what_is_open_now() -> None:
    story = Story()
    story.poll(0, WEB, CALL)
    metrics = story.metrics
    assert (metrics.get(Metric.LISTENERS), metrics.get(Metric.CONNECTIONS)) == (1, 1)
    assert metrics.get(Metric.REPORTS, kind="ongoing") == 2
    story.poll(2, dead(CALL))
    assert (metrics.get(Metric.LISTENERS), metrics.get(Metric.CONNECTIONS)) == (0, 0)
    assert metrics.get(Metric.REPORTS, kind="closed") == 2


def test_unknown_owners_are_counted_by_reason() -> None:
    story = Story()
    story.poll(0)
    story.poll(2, dead(CALL))
    assert story.metrics.get(Metric.OWNERS_UNKNOWN, reason="no_inode") == 1


def test_reports_that_nobody_takes_to_their_end_leave_nothing_behind() -> None:
    story = Story()
    story.poll(0, WEB, CALL)
    story.tracker.fold(snapshot(taken_ns=10))
    reports = story.tracker.report(10)
    next(reports)
    reports.close()  # type: ignore[attr-defined]  # it is a generator
    assert_empty(story)


# Direction


def evidence(report: ConnectionReport) -> tuple[Direction, DirectionSource]:
    return report.direction, report.direction_source


def test_a_connection_to_a_listener_s_port_came_in() -> None:
    story = Story()
    story.poll(0, WEB, row("10.0.0.2:80", "10.0.0.1:5000", cookie=3, inode=3))
    assert evidence(story.connection) == (Direction.INBOUND, DirectionSource.LISTENER)


def test_a_new_connection_that_no_known_listener_explains_went_out() -> None:
    story = Story()
    story.poll(0, WEB)
    story.poll(2, WEB, CALL)
    assert evidence(story.connection) == (Direction.OUTBOUND, DirectionSource.LISTENER)


@pytest.mark.parametrize("is_attributed_late", [False, True])
def test_one_from_before_the_agent_may_have_had_a_listener(is_attributed_late: bool) -> None:
    story = Story()
    story.undecided = {2} if is_attributed_late else set()
    story.poll(0, CALL)
    if is_attributed_late:
        story.undecided = set()
        story.poll(2, CALL)
    assert evidence(story.connection) == (Direction.UNKNOWN, DirectionSource.NONE)


def test_a_listener_at_the_same_port_of_another_machine_is_not_ours() -> None:
    story = Story()
    story.poll(0, WEB, CALL)
    assert story.connection.direction is Direction.UNKNOWN


def test_a_listener_of_our_own_that_was_called_over_loopback_is() -> None:
    story = Story()
    story.poll(0, WEB, row("127.0.0.1:5000", "127.0.0.1:80", cookie=2, inode=2))
    assert evidence(story.connection) == (Direction.OUTBOUND, DirectionSource.LISTENER)


def test_listeners_that_come_or_go_later_prove_nothing() -> None:
    """Both ends' ports had a listener; that one of them has gone does not tell who called."""
    other = listening("0.0.0.0:81", cookie=4, inode=4)
    doubtful = row("127.0.0.1:80", "127.0.0.1:81", cookie=3, inode=3)
    story = Story(aggregation=4)
    story.poll(0)
    story.poll(2, WEB, other, doubtful)
    assert story.connection.direction is Direction.UNKNOWN
    story.poll(6, other, doubtful)
    story.poll(10, other, doubtful)
    assert story.connection.direction is Direction.UNKNOWN


def test_an_incomplete_table_of_listeners_proves_nothing() -> None:
    story = Story()
    story.poll(0, snapshot(is_complete=False))
    story.poll(2, snapshot(CALL, is_complete=False))
    assert story.connection.direction is Direction.UNKNOWN


def test_the_other_end_tells_where_this_one_does_not() -> None:
    here = row("10.0.0.1:5000", "10.0.0.2:80", cookie=2, inode=2)
    there = row("10.0.0.2:80", "10.0.0.1:5000", cookie=3, inode=3)
    story = Story()
    story.poll(0, snapshot(here, netns=7), snapshot(WEB, there, netns=8))
    caller = story.of("ongoing 10.0.0.1:5000 > 10.0.0.2:80")
    assert evidence(caller) == (Direction.OUTBOUND, DirectionSource.PAIR)


def test_a_direction_that_becomes_known_later_is_told_with_the_next_event() -> None:
    story = Story(aggregation=4)
    story.poll(0, CALL)
    assert story.connection.direction is Direction.UNKNOWN
    story.poll(6, msgspec.structs.replace(CALL, counters=counters(client_excess=1)))
    assert evidence(story.connection) == (Direction.OUTBOUND, DirectionSource.COUNTERS)


# Both ends


def test_both_ends_of_a_local_connection_name_each_other_also_after_one_closed() -> None:
    here = row("10.0.0.1:5000", "10.0.0.2:80", cookie=2, inode=2)
    there = row("10.0.0.2:80", "10.0.0.1:5000", cookie=3, inode=3)
    story = Story()
    story.poll(0)
    story.poll(2, snapshot(here, netns=7), snapshot(WEB, there, netns=8))
    remotes = {
        report.inode: report.remote.process
        for report in story.reports
        if isinstance(report, ConnectionReport) and report.remote
    }
    assert remotes == {2: process(3), 3: process(2)}
    story.poll(4, gone=[8])
    story.poll(6, snapshot(netns=7))
    assert story.connection.remote is not None
    assert story.connection.remote.process == process(3)


def test_a_listener_that_closes_with_its_connection_still_names_it_to_the_other_end() -> None:
    here = row("10.0.0.1:5000", "10.0.0.2:80", cookie=2, inode=2)
    unaccepted = row("10.0.0.2:80", "10.0.0.1:5000", cookie=3)
    story = Story()
    story.poll(0)
    story.poll(2, snapshot(here, netns=7), snapshot(WEB, unaccepted, netns=8))
    story.poll(4, gone=[8])
    story.poll(6, snapshot(netns=7))
    assert story.connection.remote is not None
    assert story.connection.remote.process == process(1)


def test_containers_are_named_by_what_the_engine_says() -> None:
    container = Container("c" * 64, name="web", image="nginx", runtime="docker")
    story = Story(containers=FakeContainers([container]))
    story.owners[2] = owned(2, "c" * 64)
    story.poll(0, CALL)
    assert story.report.local.container is container


def test_a_close_message_that_comes_after_its_namespace_is_gone_tells_nothing_anew() -> None:
    story = Story()
    story.poll(0)
    assert story.poll(2, CALL) == ["opened 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.poll(4, gone=[HOST_NETNS]) == ["closed 10.0.0.1:5000 > 10.0.0.2:80"]
    late = Close(HOST_NETNS, later(CALL, TcpState.CLOSE, inode=0), 4 * SECOND, None)
    story.tracker.fold_tick(Tick(closes=[late]))
    assert list(story.tracker.report(6 * SECOND)) == []
    assert list(story.tracker.report(7 * SECOND)) == []
    assert_empty(story)


def test_a_connect_that_a_dump_had_seen_under_way_ends_when_it_fails() -> None:
    story = Story()
    story.poll(0, later(CALL, TcpState.SYN_SENT))
    trace = Trace(7, Direction.OUTBOUND, 0)
    trace.failed_ns = trace.closed_ns = 2 * SECOND
    destroyed = later(CALL, TcpState.CLOSE, inode=0)
    told = Tick(closes=[Close(HOST_NETNS, destroyed, trace.closed_ns, trace)], failed=[trace])
    story.tracker.fold_tick(told)
    reports = steps([*story.tracker.report(3 * SECOND), *story.tracker.report(4 * SECOND)])
    assert [str(report.kind) for report in reports] == ["failed", "closed"]
    assert_empty(story)


def test_the_close_of_a_connect_that_failed_is_not_told_again() -> None:
    story = Story()
    story.poll(0)
    trace = Trace(7, Direction.OUTBOUND, SECOND)
    trace.failed_ns = trace.closed_ns = 2 * SECOND
    destroyed = later(CALL, TcpState.CLOSE, inode=0)
    story.tracker.fold_tick(Tick(closes=[Close(HOST_NETNS, destroyed, trace.closed_ns, trace)]))
    assert [*story.tracker.report(3 * SECOND), *story.tracker.report(4 * SECOND)] == []


@pytest.mark.parametrize(("error", "taken"), [(errno.ECONNREFUSED, 1), (errno.EADDRNOTAVAIL, 0)])
def test_a_failed_connect_that_sent_no_syn_is_none_the_kernel_counted(
    error: int, taken: int
) -> None:
    story = Story()
    story.poll(0)
    trace = Trace(7, Direction.OUTBOUND, SECOND)
    trace.failed_ns, trace.errno = 2 * SECOND, error
    trace.process = process(5)
    story.tracker.fold_tick(Tick(failed=[trace]))
    assert story.tracker.coverage.of(HOST_NETNS).taken == taken


def test_a_report_that_cannot_be_made_costs_itself_only_and_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strange = row("10.0.0.1:5001", "10.0.0.2:80", cookie=3, inode=3)
    story = Story()
    told = story.poll(0, msgspec.structs.replace(strange, state=99), CALL)
    assert told == ["ongoing 10.0.0.1:5000 > 10.0.0.2:80"]
    assert story.metrics.get(Metric.REPORTS_FAILED) == 1
    assert "KeyError: 99" in caplog.text


def test_closes_without_a_message_are_remembered_within_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 2)
    story = Story()
    rows = [row(f"10.0.0.1:{5000 + n}", "10.0.0.2:80", cookie=n, inode=n) for n in range(2, 6)]
    story.poll(0, *rows)
    assert len(story.poll(2)) == len(rows)
    late = [Close(HOST_NETNS, later(one, TcpState.CLOSE, inode=0), 3, None) for one in rows]
    story.tracker.fold_tick(Tick(closes=late))
    reports = [*story.tracker.report(4 * SECOND), *story.tracker.report(5 * SECOND)]
    assert len(reports) == len(rows) - 2


def test_what_goes_on_is_told_of_at_polls_alone() -> None:
    story = Story()
    story.poll(0)
    story.poll(2, CALL)
    now_ns = 40 * SECOND
    assert list(story.tracker.report(now_ns, is_tick=True)) == []
    (report,) = steps(story.tracker.report(now_ns))
    assert report.kind is EventKind.ONGOING


def test_what_waits_for_its_other_end_is_told_at_the_next_tick() -> None:
    story = Story()
    story.poll(0, CALL)
    story.tracker.fold_tick(Tick(closes=[Close(HOST_NETNS, CALL, 3, None)]))
    turns = [list(story.tracker.report(at * SECOND, is_tick=True)) for at in (4, 5, 6)]
    assert [len(reports) for reports in turns] == [0, 1, 0]
    assert_empty(story)


def test_a_time_that_was_told_stays_although_the_close_knows_it_better() -> None:
    story = Story()
    story.poll(0)
    story.poll(2, CALL)
    opened = story.connection.opened_ns
    trace = Trace(7, Direction.OUTBOUND, 1)
    trace.closed_ns = 9 * SECOND
    story.tracker.fold_tick(Tick(closes=[Close(HOST_NETNS, CALL, trace.closed_ns, trace)]))
    reports = steps([*story.tracker.report(9 * SECOND), *story.tracker.report(10 * SECOND)])
    assert [report.opened_ns for report in reports] == [opened]
