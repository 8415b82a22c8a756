import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.connections.groups import Group, GroupTable, Key, who_is
from connbeat.model.connections import Direction, Party, Spread, SummaryReason
from connbeat.model.containers import Container
from connbeat.model.processes import UnknownReason
from tests.builders import process

WEB = Container("c" * 64, name="web")
LOCAL = b"\x0a\0\0\1"
OUTBOUND, INBOUND, UNKNOWN = Direction.OUTBOUND, Direction.INBOUND, Direction.UNKNOWN


def key_of(pid: int = 1, *, direction: Direction = OUTBOUND, host: int = 2, port: int = 80) -> Key:
    return (
        pid,
        WEB.id,
        1,
        direction,
        SummaryReason.CONFIGURED,
        port if direction is INBOUND else None,
        bytes([10, 0, 0, host]),
        port if direction is OUTBOUND else None,
    )


def find(table: GroupTable, pid: int = 1, **fields: int | Direction) -> Group:
    return table.find(key_of(pid, **fields), Party(process(pid), WEB), LOCAL)  # type: ignore[arg-type]  # by name


def test_what_has_the_same_key_is_in_the_same_group() -> None:
    table = GroupTable(100)
    assert find(table) is find(table)
    assert find(table) is not find(table, port=81)
    assert len(table) == 2
    assert table.take_folded() == {}


def test_a_group_has_the_party_that_is_known_last() -> None:
    table = GroupTable(100)
    find(table)
    renamed = Party(process(1), Container(WEB.id, name="renamed"))
    assert table.find(key_of(), renamed, LOCAL).party is renamed


@pytest.mark.parametrize(
    ("direction", "levels"),
    [
        (
            OUTBOUND,
            [
                (),
                ("remote_port",),
                ("remote_port", "remote_ip"),
                ("remote_port", "remote_ip", "local_process"),
                ("remote_port", "remote_ip", "local_process", "container"),
            ],
        ),
        (
            INBOUND,
            [
                (),
                ("remote_ip",),
                ("remote_ip", "local_port"),
                ("remote_ip", "local_port", "local_process"),
                ("remote_ip", "local_port", "local_process", "container"),
            ],
        ),
        (
            UNKNOWN,
            [
                (),
                ("remote_ip",),
                ("remote_ip", "local_process"),
                ("remote_ip", "local_process", "container"),
            ],
        ),
    ],
)
def test_without_room_a_group_leaves_out_one_thing_after_another(
    direction: Direction, levels: list[tuple[str, ...]]
) -> None:
    table = GroupTable(8)
    found = [
        find(table, pid, direction=direction, host=pid + host, port=pid + port).folded
        for pid in range(10, 30, 5)
        for host in range(3)
        for port in range(3)
    ]
    found += [
        table.find((pid, f"{pid}", 1, *key_of(direction=direction)[3:]), Party(process(pid), WEB),
                   LOCAL).folded
        for pid in range(50, 70)
    ]  # fmt: skip
    assert list(dict.fromkeys(found)) == levels
    assert sum(table.take_folded().values()) == len([folded for folded in found if folded])


def test_a_group_of_several_processes_names_none_and_one_of_several_containers_neither() -> None:
    table = GroupTable(8)
    groups = [find(table, pid, host=pid, port=pid) for pid in range(20)]
    processes = next(g for g in groups if g.folded[-1:] == ("local_process",))
    assert processes.party == Party(UnknownReason.SUMMARISED, WEB)
    everything = table.find(
        (1, "d" * 64, 7, *key_of()[3:]), Party(process(1), Container("d" * 64)), LOCAL
    )
    assert everything.party == Party(UnknownReason.SUMMARISED, None)
    assert everything.key[1:3] == (None, 0)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 500), st.sampled_from(Direction), st.integers(0, 255), st.integers(1, 99)
        )
    )
)
def test_there_are_only_so_many_groups_and_everything_has_one(
    ends: list[tuple[int, Direction, int, int]],
) -> None:
    table = GroupTable(8)
    for pid, direction, host, port in ends:
        find(table, pid, direction=direction, host=host, port=port).closed += 1
    assert len(table) <= 8 + len(Direction)
    assert sum(group.closed for group in table.take()) == len(ends)
    assert len(table) == 0


def test_a_group_that_is_kept_is_found_again() -> None:
    table = GroupTable(8)
    one = find(table)
    table.take()
    table.keep(one)
    assert find(table) is one


def test_who_calls_exec_is_another_from_then_on() -> None:
    shell, curl = process(7, "sh"), process(7, "curl")
    assert who_is(Party(shell, None)) == who_is(Party(process(7, "sh", "-c"), WEB))
    assert who_is(Party(shell, None)) != who_is(Party(curl, None))
    assert who_is(Party(UnknownReason.EXITED, None)) is UnknownReason.EXITED


def test_a_new_interval_begins_with_what_is_open() -> None:
    group = find(GroupTable(8))
    assert group.is_empty
    group.open = 2
    group.add_duration(5)
    group.add_duration(3)
    group.add_rtt(9)
    group.add_rtt(7)
    group.add_failure("refused")
    assert (group.durations, group.rtts) == (Spread(2, 3, 5, 8), Spread(2, 7, 9, 16))
    group.reset()
    assert (group.durations, group.rtts, group.failures, group.open) == (None, None, None, 2)
    assert not group.is_empty
