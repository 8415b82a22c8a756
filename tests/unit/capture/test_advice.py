"""What the agent says it cannot see, and what to give it."""

import msgspec

from connbeat.capture.advice import CAPABILITIES, Sight, lacks
from connbeat.capture.ladder import OTHER_PIDS, Rung, Standing

ALL = (1 << 41) - 1
DUMP, FALLEN = Standing(Rung.DUMP, ""), Standing(Rung.PROCFS, "setns needs CAP_SYS_ADMIN")
EVERYTHING = Sight(capabilities=ALL, has_host_pids=True, standings=(DUMP, DUMP), unreadable_pids=0)


def without(*names: str) -> int:
    return ALL & ~sum(1 << CAPABILITIES[name] for name in names)


def advice(**changes: object) -> list[tuple[str, str]]:
    sight = msgspec.structs.replace(EVERYTHING, **changes)
    return [(lack.what, lack.give) for lack in lacks(sight)]


def test_the_bits_are_the_kernels() -> None:
    """include/uapi/linux/capability.h."""
    assert CAPABILITIES.items() >= {
        ("CAP_DAC_READ_SEARCH", 2), ("CAP_SYS_PTRACE", 19), ("CAP_SYS_ADMIN", 21)
    }  # fmt: skip


def test_who_sees_everything_gets_no_advice() -> None:
    assert advice() == []
    assert advice(apparmor="unconfined") == []


def test_a_container_without_the_hosts_processes_is_told_the_flag() -> None:
    ((what, give),) = advice(has_host_pids=False)
    assert what == "processes outside this container"
    assert "--pid=host" in give


def test_a_trace_that_counts_other_pids_wants_no_capability() -> None:
    ((what, give),) = advice(standings=(Standing(Rung.CLOSES, OTHER_PIDS),))
    assert what.startswith("who called in a short connection")
    assert OTHER_PIDS in what
    assert "--pid=host" in give
    assert "CAP_" not in give


def test_namespaces_that_cannot_be_entered_are_counted() -> None:
    ((what, give),) = advice(
        capabilities=without("CAP_SYS_ADMIN"), standings=(DUMP, FALLEN, FALLEN)
    )
    assert "2 other namespaces" in what
    assert "SYS_ADMIN" in give


def test_a_capability_that_nothing_lacks_is_not_asked_for() -> None:
    assert advice(capabilities=without("CAP_SYS_ADMIN")) == []


def test_a_namespace_that_fell_for_another_reason_is_no_want_of_a_capability() -> None:
    assert advice(standings=(DUMP, FALLEN)) == []


def test_what_is_needed_for_descriptors_is_asked_for_by_name() -> None:
    ((_, give),) = advice(capabilities=without("CAP_SYS_PTRACE"))
    assert "--cap-add SYS_PTRACE" in give
    assert "DAC_READ_SEARCH" not in give
    ((_, give),) = advice(capabilities=without("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"))
    assert "--cap-add SYS_PTRACE --cap-add DAC_READ_SEARCH" in give


def test_unreadable_processes_are_counted_where_no_capability_is_to_blame() -> None:
    ((what, _),) = advice(unreadable_pids=3)
    assert what.startswith("3 processes")
    ((what, _),) = advice(unreadable_pids=3, capabilities=without("CAP_SYS_PTRACE"))
    assert not what.startswith("3 processes")


def test_an_apparmor_profile_is_named() -> None:
    ((what, give),) = advice(apparmor="docker-default")
    assert "docker-default" in what
    assert "apparmor=unconfined" in give


def test_default_capabilities_of_a_container_give_the_greatest_lack_first() -> None:
    found = advice(capabilities=0x00000000A80425FB, has_host_pids=False, standings=(DUMP, FALLEN))
    assert [give.split(" ")[0] for _, give in found] == [
        "--pid=host", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"
    ]  # fmt: skip
