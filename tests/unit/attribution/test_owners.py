"""Whose a socket is: by its holder, by its namespace only if nobody else lives there."""

from collections.abc import Mapping, Sequence

import msgspec

from connbeat.attribution.owners import Holder, OwnerResolver
from connbeat.errors import ProcessGone
from connbeat.model.containers import Container, PublishedPort
from connbeat.model.processes import Attribution, ContainerRef, Process, UnknownReason, Wanted
from connbeat.model.targets import Namespaces, Target
from tests.unit.attribution.fakes import namespaces

WEB, SIDECAR = ContainerRef("web", "docker"), ContainerRef("sidecar", "docker")
HOST, OTHER = 1, 2


class Held(msgspec.Struct, frozen=True):
    """A holder, as the index gives it."""

    pid: int
    fd: int


class World:
    """Processes, who holds what, and the containers an engine tells of."""

    def __init__(self) -> None:
        self.processes: dict[int, Process] = {}
        self.holders: dict[int, Held | UnknownReason] = {}
        self.containers: list[Container] = []
        self.asked: list[int] = []
        self.changed_hands: set[int] = set()

    def add(self, pid: int, container: ContainerRef | None = None) -> Process:
        process = Process(
            pid=pid, started_ticks=pid, binary=f"p{pid}", executable="", arguments=(), environ=(),
            uid=0, user="", started_at_ns=0, container=container, netns=0,
        )  # fmt: skip
        self.processes[pid] = process
        return process

    # HolderFinder

    def find(
        self, wanted: Sequence[Wanted], namespaces: Namespaces
    ) -> Mapping[int, Holder | UnknownReason]:
        assert namespaces.targets
        self.asked = [w.inode for w in wanted]
        return {inode: self.holders[inode] for inode in self.asked if inode in self.holders}

    # ProcessReader

    def read(self, pid: int, now_ns: int) -> Process:
        assert now_ns == 5
        try:
            return self.processes[pid]
        except KeyError:
            raise ProcessGone(f"{pid} has ended") from None

    def holds_socket(self, pid: int, fd: int, inode: int) -> bool:
        assert self.holders[inode] == Held(pid, fd)
        return inode not in self.changed_hands

    # ContainerLookup

    def by_id(self, container_id: str) -> Container | None:
        return next((c for c in self.containers if c.id == container_id), None)

    def running(self) -> tuple[Container, ...]:
        return tuple(self.containers)

    def published(self, ip: bytes, port: int) -> PublishedPort | None:
        raise AssertionError(f"nobody asks who owns a socket by {ip!r}:{port}")

    # What is tested

    def resolve(
        self, *wanted: tuple[int, int], where: Namespaces
    ) -> dict[tuple[int, int], Attribution]:
        resolver = OwnerResolver(self, self, self.holds_socket, self)
        return resolver.resolve([Wanted(netns, inode, 0) for netns, inode in wanted], where, 5)


def test_the_holder_is_the_owner_and_its_cgroup_names_the_container() -> None:
    world = World()
    process = world.add(20, WEB)
    world.holders = {7: Held(20, 3)}
    answers = world.resolve((OTHER, 7), where=namespaces((10,), (20,)))
    assert answers == {(OTHER, 7): Attribution(process, WEB)}


def test_a_process_of_the_host_in_a_containers_namespace_is_in_no_container() -> None:
    """By process, never by namespace, where the process is known."""
    world = World()
    world.add(20, WEB)
    debugger = world.add(21)
    world.holders = {7: Held(21, 3)}
    answers = world.resolve((OTHER, 7), where=namespaces((10,), (20, 21)))
    assert answers == {(OTHER, 7): Attribution(debugger, None)}


def test_a_host_network_container_is_told_apart_by_its_process() -> None:
    world = World()
    daemon, containered = world.add(10), world.add(11, WEB)
    world.holders = {7: Held(10, 3), 8: Held(11, 3)}
    answers = world.resolve((HOST, 7), (HOST, 8), where=namespaces((10, 11)))
    assert answers == {
        (HOST, 7): Attribution(daemon, None),
        (HOST, 8): Attribution(containered, WEB),
    }


# Without a process


def test_without_a_process_the_namespace_names_its_one_container() -> None:
    world = World()
    world.add(20, WEB)
    world.add(21, WEB)
    world.holders = {7: UnknownReason.NOT_FOUND}
    answers = world.resolve((OTHER, 7), where=namespaces((10,), (20, 21)))
    assert answers == {(OTHER, 7): Attribution(UnknownReason.NOT_FOUND, WEB)}


def test_two_containers_in_a_namespace_are_no_evidence_for_either() -> None:
    world = World()
    world.add(20, WEB)
    world.add(21, SIDECAR)
    world.holders = {7: UnknownReason.NOT_FOUND}
    answers = world.resolve((OTHER, 7), where=namespaces((10,), (20, 21)))
    assert answers == {(OTHER, 7): Attribution(UnknownReason.NOT_FOUND, None)}


def test_the_hosts_namespace_names_nobody_though_one_container_lives_there() -> None:
    world = World()
    world.add(10, WEB)
    world.containers = [Container("web", runtime="docker", init_pid=10, is_host_network=True)]
    world.holders = {7: UnknownReason.NOT_PERMITTED}
    answers = world.resolve((HOST, 7), (HOST, 0), where=namespaces((10,)))
    assert answers == {
        (HOST, 7): Attribution(UnknownReason.NOT_PERMITTED, None),
        (HOST, 0): Attribution(UnknownReason.NO_INODE, None),
    }


def test_processes_of_no_container_do_not_count() -> None:
    world = World()
    world.add(20)
    world.add(21, WEB)
    answers = world.resolve((OTHER, 0), where=namespaces((10,), (20, 21)))
    assert answers == {(OTHER, 0): Attribution(UnknownReason.NO_INODE, WEB)}


def test_the_engine_names_a_container_whose_processes_cannot_be_read() -> None:
    world = World()
    world.containers = [
        Container("web", runtime="docker", init_pid=20),
        Container("elsewhere", runtime="docker", init_pid=30),
        Container("stopped", runtime="docker", init_pid=0),
    ]
    answers = world.resolve((OTHER, 0), where=namespaces((10,), (20,)))
    assert answers == {(OTHER, 0): Attribution(UnknownReason.NO_INODE, WEB)}


def test_engine_and_cgroup_naming_the_same_container_are_one_container() -> None:
    world = World()
    world.add(20, ContainerRef("web", ""))
    world.containers = [Container("web", runtime="docker", init_pid=20)]
    answers = world.resolve((OTHER, 0), where=namespaces((10,), (20,)))
    assert answers[OTHER, 0].container == ContainerRef("web", "")


def test_the_engines_other_container_in_the_namespace_makes_it_two() -> None:
    world = World()
    world.add(20, WEB)
    world.containers = [Container("sidecar", runtime="docker", init_pid=21)]
    answers = world.resolve((OTHER, 0), where=namespaces((10,), (20, 21)))
    assert answers[OTHER, 0].container is None


def test_a_namespace_that_is_gone_names_nobody() -> None:
    world = World()
    assert world.resolve((4711, 0), where=namespaces((10,))) == {
        (4711, 0): Attribution(UnknownReason.NO_INODE, None)
    }


def test_a_namespace_with_very_many_processes_is_asked_a_few_of_them() -> None:
    world = World()
    for pid in range(100, 1000):
        world.add(pid, WEB)
    target = Target(OTHER, tuple(range(100, 5000)), "", is_host=False)
    where = Namespaces({OTHER: target}, ())
    assert world.resolve((OTHER, 0), where=where)[OTHER, 0].container == WEB


# Not decided yet


def test_what_the_index_has_not_decided_is_missing_from_the_answer() -> None:
    world = World()
    world.holders = {8: UnknownReason.NOT_FOUND}
    answers = world.resolve((OTHER, 7), (OTHER, 8), where=namespaces((10,), (20,)))
    assert answers.keys() == {(OTHER, 8)}


def test_a_holder_that_ended_meanwhile_is_asked_for_again() -> None:
    world = World()
    world.holders = {7: Held(20, 3)}
    assert world.resolve((OTHER, 7), where=namespaces((10,), (20,))) == {}


def test_a_descriptor_that_changed_hands_meanwhile_is_asked_for_again() -> None:
    """The pid was reused, or the socket passed on, between the walk and the process' reading."""
    world = World()
    world.add(20, WEB)
    world.holders = {7: Held(20, 3)}
    world.changed_hands = {7}
    assert world.resolve((OTHER, 7), where=namespaces((10,), (20,))) == {}


def test_inode_0_is_every_socket_that_nobody_holds_and_is_not_looked_for() -> None:
    world = World()
    world.add(20, WEB)
    world.holders = {7: Held(20, 3)}
    answers = world.resolve((HOST, 0), (OTHER, 0), (OTHER, 7), where=namespaces((10,), (20,)))
    assert world.asked == [7]
    assert answers[HOST, 0] == Attribution(UnknownReason.NO_INODE, None)
    assert answers[OTHER, 0] == Attribution(UnknownReason.NO_INODE, WEB)
