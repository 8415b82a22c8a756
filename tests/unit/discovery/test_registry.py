import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.discovery.registry import ContainerRegistry
from connbeat.model.addresses import parse_ip
from connbeat.model.containers import Container, PortBinding, PublishedPort

GRACE = 100


def web(container_id: str = "a", **changes: object) -> Container:
    fields: dict[str, object] = {
        "id": container_id,
        "name": "web",
        "local_ips": ("172.17.0.2", "fd00::2"),
        "ports": {"80": (PortBinding("0.0.0.0", "8080"), PortBinding("::", "8080"))},
        "init_pid": 7,
    } | changes
    return Container(**fields)  # type: ignore[arg-type]  # one dict for fields of every type


def registry_with(*containers: Container) -> ContainerRegistry:
    registry = ContainerRegistry(grace_ns=GRACE, max_ended=3)
    for container in containers:
        registry.put(container, 0)
    return registry


def test_what_was_put_is_found() -> None:
    registry = registry_with(web())
    assert registry.by_id("a") == web()
    assert registry.running() == (web(),)
    assert registry.by_id("b") is None


def test_an_ended_container_keeps_its_name_but_does_not_run() -> None:
    registry = registry_with(web())
    registry.end("a", 1)
    assert registry.by_id("a") == web(is_running=False, init_pid=0)
    assert registry.running() == ()


def test_a_tombstone_goes_after_its_grace_time() -> None:
    registry = registry_with(web(), web("b"))
    registry.end("a", 1)
    registry.rename("b", "other", GRACE)
    assert registry.by_id("a") is not None
    registry.rename("b", "other", GRACE + 1)
    assert registry.by_id("a") is None


def test_ending_twice_does_not_lengthen_the_grace_time() -> None:
    registry = registry_with(web())
    registry.end("a", 1)
    registry.end("a", 50)
    registry.end("a", GRACE + 1)
    assert registry.by_id("a") is None


def test_too_many_tombstones_push_out_the_oldest_and_are_counted() -> None:
    registry = registry_with(*[web(name) for name in "abcde"])
    for now, name in enumerate("abcde"):
        registry.end(name, now)
    assert [name for name in "abcde" if registry.by_id(name)] == ["c", "d", "e"]
    assert registry.ended_dropped == 2


def test_a_tombstone_that_was_over_anyway_is_not_counted_as_dropped() -> None:
    registry = registry_with(*[web(name) for name in "abcd"])
    for name in "abcd":
        registry.end(name, GRACE if name == "d" else 0)
    assert registry.ended_dropped == 0


def test_a_restarted_container_runs_again() -> None:
    registry = registry_with(web())
    registry.end("a", 1)
    registry.put(web(init_pid=8), 2)
    registry.rename("a", "web", GRACE * 2)
    assert registry.running() == (web(init_pid=8),)


def test_an_inspect_that_came_too_late_leaves_a_tombstone() -> None:
    registry = registry_with(web(is_running=False))
    assert registry.running() == ()
    found = registry.by_id("a")
    assert found is not None
    assert found.name == "web"


@pytest.mark.parametrize("has_ended", [False, True])
def test_a_new_name_is_taken_whether_it_runs_or_not(has_ended: bool) -> None:
    registry = registry_with(web())
    if has_ended:
        registry.end("a", 1)
    registry.rename("a", "shop", 2)
    found = registry.by_id("a")
    assert found is not None
    assert (found.name, found.is_running) == ("shop", not has_ended)
    assert (registry.published(parse_ip("10.0.0.1"), 8080) is None) is has_ended


def test_an_unknown_container_is_not_made_by_its_renaming() -> None:
    registry = registry_with()
    registry.rename("a", "shop", 1)
    registry.end("a", 1)
    assert registry.by_id("a") is None


def test_a_mention_is_taken_only_where_nothing_better_is_known() -> None:
    registry = registry_with(web("a"))
    for container_id in "ab":
        registry.mention(Container(container_id, name="poor", is_running=False), 1)
    registry.mention(Container("b", name="poorer", is_running=False), 2)
    assert registry.running() == (web("a"),)
    found = registry.by_id("b")
    assert found is not None
    assert found.name == "poor"


def test_a_mention_gives_a_tombstone_its_grace_time_anew() -> None:
    registry = registry_with(web())
    registry.end("a", 0)
    registry.mention(Container("a", is_running=False), 50)
    registry.end("x", GRACE)
    assert registry.by_id("a") == web(is_running=False, init_pid=0)


def test_a_tombstone_whose_time_began_anew_holds_up_no_older_one() -> None:
    registry = registry_with(web("a"), web("b"))
    registry.end("a", 0)
    registry.end("b", 10)
    registry.mention(Container("a", is_running=False), 60)
    registry.end("x", GRACE + 10)
    assert (registry.by_id("a") is not None, registry.by_id("b")) == (True, None)


def test_a_whole_list_ends_what_is_not_in_it() -> None:
    registry = registry_with(web("a"), web("b"))
    registry.replace_all([web("b", name="renamed"), web("c"), web("d", is_running=False)], 1)
    assert [container.id for container in registry.running()] == ["b", "c"]
    ended = [registry.by_id(name) for name in "ad"]
    assert [container and container.is_running for container in ended] == [False, False]


@pytest.mark.parametrize(
    ("address", "container_ip"),
    [("192.0.2.9", "172.17.0.2"), ("127.0.0.1", "172.17.0.2"), ("2001:db8::1", "fd00::2")],
)
def test_a_port_published_everywhere_is_found_at_every_address(
    address: str, container_ip: str
) -> None:
    found = registry_with(web()).published(parse_ip(address), 8080)
    wildcard = parse_ip("0.0.0.0" if "." in address else "::")
    assert found == PublishedPort(wildcard, 8080, parse_ip(container_ip), 80, "a")


def test_a_port_published_at_one_address_is_found_only_there() -> None:
    ports = {"80": (PortBinding("127.0.0.1", "8080"),)}
    registry = registry_with(web(ports=ports))
    assert registry.published(parse_ip("127.0.0.1"), 8080) is not None
    assert registry.published(parse_ip("192.0.2.9"), 8080) is None
    assert registry.published(parse_ip("::1"), 8080) is None


def test_one_address_counts_before_all_of_them() -> None:
    registry = registry_with(web(), web("b", ports={"81": (PortBinding("192.0.2.9", "8080"),)}))
    found = registry.published(parse_ip("192.0.2.9"), 8080)
    assert found is not None
    assert found.container_id == "b"


def test_a_binding_without_an_address_is_for_both_families() -> None:
    registry = registry_with(web(ports={"80": (PortBinding("", "8080"),)}))
    assert registry.published(parse_ip("192.0.2.9"), 8080) is not None
    assert registry.published(parse_ip("2001:db8::1"), 8080) is not None


def test_an_ipv6_port_of_a_container_with_ipv4_alone_leads_to_its_ipv4_address() -> None:
    found = registry_with(web(local_ips=("172.17.0.2",))).published(parse_ip("::1"), 8080)
    assert found is not None
    assert found.container_ip == parse_ip("172.17.0.2")


@pytest.mark.parametrize(
    "ports",
    [
        {"80": (PortBinding("0.0.0.0", "x"),)},
        {"80": (PortBinding("0.0.0.0", "0"),)},
        {"80": (PortBinding("0.0.0.0", "9" * 5000),)},
        {"99999": (PortBinding("0.0.0.0", "8080"),)},
        {"80": (PortBinding("nonsense", "8080"),)},
    ],
)
def test_a_binding_that_makes_no_sense_publishes_nothing(
    ports: dict[str, tuple[PortBinding, ...]],
) -> None:
    assert registry_with(web(ports=ports)).published(parse_ip("127.0.0.1"), 8080) is None


def test_only_a_running_container_with_an_address_publishes() -> None:
    registry = registry_with(web(local_ips=()))
    assert registry.published(parse_ip("127.0.0.1"), 8080) is None
    registry = registry_with(web())
    registry.end("a", 1)
    assert registry.published(parse_ip("127.0.0.1"), 8080) is None


def test_a_reader_in_another_thread_never_sees_half_of_a_write() -> None:
    registry = registry_with()
    lists = [[web("a"), web("b")], [web("c"), web("d")]]
    torn: list[tuple[str, ...]] = []
    is_done = threading.Event()

    def read() -> None:
        while not is_done.is_set():
            ids = tuple(container.id for container in registry.running())
            if ids not in {(), ("a", "b"), ("c", "d")}:
                torn.append(ids)

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(300):
        registry.replace_all(lists[turn % 2], turn)
    is_done.set()
    reader.join()
    assert torn == []


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "gone", "mention", "rename", "end", "all"]), st.integers(0, 5)
    ),
    max_size=30,
)


@given(STEPS)
def test_whatever_happens_the_bounds_hold_and_the_two_kinds_stay_apart(
    steps: list[tuple[str, int]],
) -> None:
    registry = ContainerRegistry(grace_ns=7, max_ended=3)
    running: set[str] = set()
    for now, (step, number) in enumerate(steps):
        name = str(number)
        if step == "put":
            registry.put(web(name), now)
            running.add(name)
        elif step == "gone":
            registry.put(web(name, is_running=False), now)
            running.discard(name)
        elif step == "mention":
            registry.mention(web(name, is_running=False), now)
        elif step == "rename":
            registry.rename(name, "x", now)
        elif step == "end":
            registry.end(name, now)
            running.discard(name)
        else:
            registry.replace_all([web(name)], now)
            running = {name}
        known = [registry.by_id(str(other)) for other in range(6)]
        assert {container.id for container in registry.running()} == running
        assert {it.id for it in known if it and it.is_running} == running
        assert sum(1 for it in known if it and not it.is_running) <= 3
