"""The walk over descriptors: who is asked first, who wins, what it may cost, when it gives up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.attribution.inodes import Holder, InodeIndex
from connbeat.model.processes import UnknownReason, Wanted
from connbeat.model.targets import Namespaces
from connbeat.telemetry.metrics import Metric, Metrics
from tests.unit.attribution.fakes import FakeProcFs, namespaces

NOT_FOUND, NOT_PERMITTED = UnknownReason.NOT_FOUND, UnknownReason.NOT_PERMITTED


class House:
    """An index over one fake `/proc`."""

    def __init__(self, held: dict[int, dict[int, int]], budget_fds: int = 10_000) -> None:
        self.procfs = FakeProcFs(held)
        self.metrics = Metrics()
        self.index = InodeIndex(self.procfs.as_procfs(), self.metrics, budget_fds)

    def find(
        self, inodes: list[int], where: Namespaces, netns: int = 1, likely_pid: int = 0
    ) -> dict[int, Holder | UnknownReason]:
        return self.index.find([Wanted(netns, inode, likely_pid) for inode in inodes], where)


# Who is asked, and who wins


def test_the_likely_process_is_asked_first_and_nobody_else_if_it_holds_the_socket() -> None:
    house = House({10: {3: 1}, 20: {3: 5, 4: 7}, 30: {3: 1}})
    assert house.find([7], namespaces((10, 20, 30)), likely_pid=20) == {7: Holder(20, 4)}
    assert house.procfs.visited == [20]


def test_a_likely_process_that_does_not_hold_it_costs_one_look() -> None:
    house = House({10: {3: 7}, 20: {3: 1}})
    assert house.find([7], namespaces((10, 20)), likely_pid=20) == {7: Holder(10, 3)}
    assert house.procfs.visited == [20, 10]


def test_a_likely_process_that_ended_is_no_obstacle() -> None:
    house = House({10: {3: 7}})
    assert house.find([7], namespaces((10,)), likely_pid=4711) == {7: Holder(10, 3)}


def test_the_walk_ends_when_everything_is_found() -> None:
    house = House({10: {3: 7}, 20: {3: 8}, 30: {3: 9}})
    assert house.find([7, 8], namespaces((10, 20, 30))) == {7: Holder(10, 3), 8: Holder(20, 3)}
    assert house.procfs.visited == [10, 20]


def test_the_process_that_opened_a_socket_wins_over_its_children() -> None:
    house = House({10: {5: 7}, 11: {5: 7}, 12: {5: 7}})
    assert house.find([7], namespaces((10, 11, 12))) == {7: Holder(10, 5)}


def test_anybody_wins_over_an_init_that_passed_the_socket_on() -> None:
    house = House({1: {31: 7}, 812: {6: 7}})
    assert house.find([7], namespaces((1, 812))) == {7: Holder(812, 6)}


def test_an_init_that_holds_a_socket_alone_has_it() -> None:
    house = House({1: {31: 7}, 812: {6: 8}})
    assert house.find([7], namespaces((1, 812))) == {7: Holder(1, 31)}


def test_an_init_is_last_even_if_only_its_descriptors_changed() -> None:
    house = House({1: {31: 1}, 812: {6: 8}})
    house.find([99], namespaces((1, 812)))
    house.procfs.held[1][32] = 7
    house.procfs.held[812] = {6: 7}
    assert house.find([7], namespaces((1, 812))) == {7: Holder(812, 6)}


def test_only_the_namespace_of_the_socket_is_walked() -> None:
    house = House({10: {3: 1}, 20: {3: 7}})
    assert house.find([7], namespaces((10,), (20,)), netns=2) == {7: Holder(20, 3)}
    assert house.procfs.visited == [20]


def test_processes_whose_descriptors_changed_go_first() -> None:
    house = House({10: {3: 1}, 20: {3: 2}, 30: {3: 3}})
    where = namespaces((10, 20, 30))
    house.find([99], where)
    house.procfs.forget_visits()
    house.procfs.held[30][4] = 7
    assert house.find([7], where) == {7: Holder(30, 4)}
    assert house.procfs.visited == [30]


def test_where_the_number_of_descriptors_is_not_told_everybody_is_asked_in_order() -> None:
    """Before Linux 6.2 it is 0."""

    class OldKernel(FakeProcFs):
        def fd_count(self, pid: int) -> int:
            assert pid in self.held
            return 0

    procfs = OldKernel({10: {3: 1}, 20: {3: 7}})
    index = InodeIndex(procfs.as_procfs(), Metrics())
    where = namespaces((10, 20))
    assert index.find([Wanted(1, 7, 0)], where) == {7: Holder(20, 3)}
    assert procfs.visited == [10, 20]


def test_nobody_is_asked_when_nothing_is_wanted() -> None:
    house = House({10: {3: 1}})
    assert house.find([], namespaces((10,))) == {}
    assert house.procfs.visited == []
    assert house.metrics.get(Metric.WALKS) == 0


# Giving up


def test_a_socket_counts_as_not_there_after_two_walks_and_not_before() -> None:
    """During the first it may be on its way from one process to another."""
    house = House({10: {3: 1}})
    assert house.find([7], namespaces((10,))) == {}
    assert house.find([7], namespaces((10,))) == {7: NOT_FOUND}


def test_a_socket_that_arrives_between_two_walks_is_found() -> None:
    house = House({10: {3: 1}})
    assert house.find([7], namespaces((10,))) == {}
    house.procfs.held[10][4] = 7
    assert house.find([7], namespaces((10,))) == {7: Holder(10, 4)}


def test_who_is_no_longer_asked_for_is_forgotten() -> None:
    """A reused inode number is another socket, with two walks of its own."""
    house = House({10: {3: 1}})
    house.find([7], namespaces((10,)))
    house.find([8], namespaces((10,)))
    assert house.find([7], namespaces((10,))) == {}


def test_where_a_process_of_the_namespace_is_closed_to_us_it_may_be_the_holder() -> None:
    house = House({10: {3: 1}, 20: {}})
    house.procfs.denied = {20}
    house.find([7], namespaces((10, 20)))
    assert house.find([7], namespaces((10, 20))) == {7: NOT_PERMITTED}


def test_a_closed_process_of_another_namespace_is_no_excuse() -> None:
    house = House({10: {3: 1}, 20: {}})
    house.procfs.denied = {20}
    where = namespaces((10,), (20,))
    house.find([7], where)
    assert house.find([7], where) == {7: NOT_FOUND}


def test_a_likely_process_that_is_closed_to_us_may_be_the_holder() -> None:
    house = House({10: {3: 1}, 20: {}})
    house.procfs.denied = {20}
    where = namespaces((10, 20))
    house.find([7], where, likely_pid=20)
    assert house.find([7], where, likely_pid=20) == {7: NOT_PERMITTED}


def test_a_socket_held_outside_its_namespace_is_found_at_the_last_walk() -> None:
    """Passed on over a Unix socket, or made before its maker went into another namespace."""
    house = House({10: {3: 7}, 20: {3: 1}})
    where = namespaces((10,), (20,))
    assert house.find([7], where, netns=2) == {}
    assert house.procfs.forget_visits() == [20]
    assert house.find([7], where, netns=2) == {7: Holder(10, 3)}


def test_a_namespace_that_is_gone_has_nobody_but_elsewhere_is_looked() -> None:
    house = House({10: {3: 7}})
    assert house.find([7], namespaces((10,)), netns=4711) == {}
    assert house.find([7], namespaces((10,)), netns=4711) == {7: Holder(10, 3)}


def test_a_process_that_ends_during_the_walk_is_passed_over() -> None:
    house = House({10: {3: 1}, 30: {3: 7}})
    assert house.find([7], namespaces((10, 20, 30))) == {7: Holder(30, 3)}


# What it may cost


def test_the_walk_stops_at_its_budget_and_goes_on_where_it_stopped() -> None:
    house = House({pid: {3: pid} for pid in range(10, 20)}, budget_fds=6)
    where = namespaces(tuple(range(10, 20)))
    assert house.find([7], where) == {}
    assert house.procfs.forget_visits() == [10, 11, 12]  # a descriptor and a process each
    assert house.find([7], where) == {}
    assert house.procfs.forget_visits() == [13, 14, 15]
    assert house.metrics.get(Metric.WALKS_CUT) == 2
    assert house.metrics.get(Metric.WALKED_FDS) == 12


def test_a_socket_is_found_over_several_polls_however_many_processes_there_are() -> None:
    house = House({pid: {3: pid} for pid in range(10, 40)}, budget_fds=10)
    where = namespaces(tuple(range(10, 40)))
    for _ in range(5):
        assert house.find([39], where) == {}
    assert house.find([39], where) == {39: Holder(39, 3)}


def test_after_ten_cut_walks_we_give_up() -> None:
    house = House({pid: {3: pid} for pid in range(100, 200)}, budget_fds=4)
    where = namespaces(tuple(range(100, 200)))
    for _ in range(9):
        assert house.find([7], where) == {}
    assert house.find([7], where) == {7: NOT_FOUND}


def test_a_namespace_that_is_not_reached_has_its_turn_at_the_next_poll() -> None:
    house = House({10: {fd: fd for fd in range(20)}, 20: {3: 777}}, budget_fds=10)
    where = namespaces((10,), (20,))
    wanted = [Wanted(1, 99, 0), Wanted(2, 777, 0)]
    assert house.index.find(wanted, where) == {}
    assert house.index.find([Wanted(2, 777, 0)], where) == {777: Holder(20, 3)}


def test_a_walk_elsewhere_that_is_cut_decides_nothing() -> None:
    held = {10: {3: 1}} | {pid: {3: pid} for pid in range(20, 30)}
    house = House(held, budget_fds=8)
    where = namespaces((10,), tuple(range(20, 30)))
    assert house.find([29], where) == {}
    answers = [house.find([29], where) for _ in range(4)]
    assert answers == [{}, {}, {}, {29: Holder(29, 3)}]


def test_a_likely_process_with_more_descriptors_than_the_budget_does_not_starve_the_walk() -> None:
    house = House({10: {3: 7}, 20: {fd: 1000 + fd for fd in range(50)}}, budget_fds=40)
    where = namespaces((10, 20))
    assert house.find([7], where, likely_pid=20) == {7: Holder(10, 3)}


def test_what_is_known_of_processes_that_ended_is_forgotten() -> None:
    house = House({10: {3: 1}})
    for pid in range(1000, 2000):
        house.procfs.held[pid] = {3: pid}
        house.find([7], namespaces((10, pid)))
        house.procfs.end(pid)
        house.index.find([Wanted(4711 + pid, 8, 0)], Namespaces({}, ()))
    assert sum(len(counts) for counts in house.index._fd_counts.values()) <= 2
    assert len(house.index._next_pid) <= 1


@given(
    held=st.dictionaries(
        st.integers(1, 30),
        st.dictionaries(st.integers(0, 9), st.integers(100, 120), max_size=6),
        max_size=12,
    ),
    wanted=st.sets(st.integers(100, 125), min_size=1, max_size=8),
    budget_fds=st.integers(1, 60),
    likely_pid=st.integers(0, 30),
)
def test_every_socket_that_is_held_is_found_in_the_end_and_no_answer_is_wrong(
    held: dict[int, dict[int, int]], wanted: set[int], budget_fds: int, likely_pid: int
) -> None:
    house = House(held, budget_fds)
    where = namespaces(tuple(sorted(held)))
    answers: dict[int, Holder | UnknownReason] = {}
    for _ in range(12):
        missing = sorted(wanted - answers.keys())
        answers |= house.find(missing, where, likely_pid=likely_pid)
    assert answers.keys() == wanted
    existing = {inode for fds in held.values() for inode in fds.values()}
    for inode, answer in answers.items():
        if isinstance(answer, Holder):
            assert held[answer.pid][answer.fd] == inode
        elif budget_fds > sum(len(fds) + 1 for fds in held.values()):
            assert inode not in existing


@pytest.mark.parametrize("count", [1, 50])
def test_each_call_is_one_walk_whatever_it_finds(count: int) -> None:
    house = House({10: {inode: inode for inode in range(count)}})
    house.find(list(range(count)), namespaces((10,)))
    assert house.metrics.get(Metric.WALKS) == 1
    assert house.metrics.get(Metric.WALKED_FDS) == count + 1
