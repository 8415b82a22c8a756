"""docker-proxy's two connections: joined where that is certain, and only there."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.connections.life import Life, Relayed, begin, key_of
from connbeat.connections.relays import Relays, parse_target
from connbeat.model.addresses import parse_ip
from connbeat.model.connections import Address, Direction
from connbeat.model.processes import Process
from connbeat.model.traces import Tick, Trace
from connbeat.telemetry.metrics import Metric, Metrics
from tests.builders import HOST_NETNS, SECOND, address, process, row

MS = 1_000_000
GATEWAY, BACKEND = "172.17.0.1", "172.17.0.2:80"
PROXY = process(
    55, "/usr/bin/docker-proxy", "-proto", "tcp", "-host-ip", "0.0.0.0", "-host-port", "8080",
    "-container-ip", "172.17.0.2", "-container-port", "80",
)  # fmt: skip


def accepted(client: str, at_ns: int, door: str = "127.0.0.1:8080") -> Trace:
    trace = Trace(1, Direction.INBOUND, at_ns)
    trace.local_ip, trace.local_port = address(door)
    trace.remote_ip, trace.remote_port = address(client)
    return trace


def call(
    port: int,
    at_ns: int,
    *,
    to: str = BACKEND,
    owner: Process | None = PROXY,
    failed_ns: int = 0,
) -> Trace:
    trace = Trace(2, Direction.OUTBOUND, at_ns)
    trace.local_ip, trace.local_port = address(f"{GATEWAY}:{port}")
    trace.remote_ip, trace.remote_port = address(to)
    trace.process = owner
    trace.failed_ns = failed_ns
    return trace


def client(number: int) -> str:
    return f"127.0.0.1:{40000 + number}"


def life_of(trace: Trace, netns: int = HOST_NETNS) -> Life:
    socket = row(text(trace.local_ip, trace.local_port), text(trace.remote_ip, trace.remote_port))
    return begin(netns, key_of(socket), socket, 1)


def text(ip: bytes, port: int) -> str:
    return f"{'.'.join(map(str, ip))}:{port}"


class House:
    """A docker-proxy that is known from its start, and its joined connections."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.relays = Relays(self.metrics)
        self.relays.set_host(frozenset(map(parse_ip, ("127.0.0.1", GATEWAY))))
        self.relays.learn(PROXY, parse_ip("0.0.0.0"), 8080, 0)

    def fold(
        self,
        *traces: Trace,
        until_ns: int = SECOND,
        failed: Sequence[Trace] = (),
        lossy: bool = False,
    ) -> None:
        self.relays.fold(Tick(established=traces, failed=failed, until_ns=until_ns, is_lossy=lossy))

    def joined(self, trace: Trace, netns: int = HOST_NETNS) -> Relayed | None:
        """What the new life of this trace belongs to."""
        life = life_of(trace, netns)
        self.relays.link([life])
        return life.relayed

    def outcomes(self) -> tuple[float, float]:
        joined, ambiguous = (
            self.metrics.get(Metric.RELAYED, outcome=outcome) for outcome in ("joined", "ambiguous")
        )
        return joined, ambiguous


@pytest.fixture
def house() -> House:
    return House()


def test_the_target_stands_in_the_command_line() -> None:
    assert parse_target(PROXY.arguments) == Address(*address(BACKEND))


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("docker-proxy",),
        ("docker-proxy", "-container-ip", "172.17.0.2"),
        ("docker-proxy", "-container-ip", "172.17.0.2", "-container-port"),
        ("docker-proxy", "-container-ip", "web", "-container-port", "80"),
        ("docker-proxy", "-container-ip", "172.17.0.2", "-container-port", "http"),
    ],
)
def test_a_command_line_without_a_target_is_no_proxy_s(arguments: tuple[str, ...]) -> None:
    assert parse_target(arguments) is None


def test_an_accepted_connection_and_the_call_after_it_belong_together(house: House) -> None:
    mine, its_call = accepted(client(1), 5), call(50001, 6)
    house.fold(mine, its_call)
    relayed = house.joined(mine)
    assert relayed is not None
    assert house.joined(its_call) is relayed
    assert relayed.client == Address(*address(client(1)))
    assert relayed.backend == Address(*address(BACKEND))
    assert (relayed.accepted, relayed.called) != (None, None)
    assert house.outcomes() == (1, 0)


def test_one_after_another_are_each_their_own_however_they_come_in(house: House) -> None:
    pairs = [(accepted(client(n), 10 * n), call(50000 + n, 10 * n + 1)) for n in range(1, 9)]
    house.fold(*(trace for pair in reversed(pairs[:5]) for trace in pair))
    house.fold(*(trace for pair in pairs[5:] for trace in pair))
    for mine, its_call in pairs:
        relayed = house.joined(its_call)
        assert relayed is not None
        assert relayed is house.joined(mine)
        assert relayed.client.port == mine.remote_port
    assert house.outcomes() == (8, 0)


def test_of_several_that_wait_nobody_can_tell_and_nobody_is_told(house: House) -> None:
    one, other = accepted(client(1), 1), accepted(client(2), 2)
    calls = call(50001, 3), call(50002, 4)
    house.fold(one, other, *calls)
    assert [house.joined(trace) for trace in (one, other, *calls)] == [None] * 4
    assert house.outcomes() == (0, 2)
    later, its_call = accepted(client(3), 5), call(50003, 6)
    house.fold(later, its_call)
    assert house.joined(later) is house.joined(its_call) is not None


def test_a_call_is_for_one_that_was_accepted_before_it(house: House) -> None:
    """Its handshake took longer than another connection's acceptance."""
    mine, later, its_call = accepted(client(1), 1), accepted(client(2), 9), call(50001, 2)
    house.fold(mine, later, its_call)
    assert house.joined(mine) is house.joined(its_call) is not None
    assert house.joined(later) is None


def test_a_call_that_comes_a_turn_late_is_still_for_one_accepted_before_it(house: House) -> None:
    mine, later, its_call = accepted(client(1), 1), accepted(client(2), 9), call(50001, 2)
    house.fold(mine, later)
    house.fold(its_call)
    assert house.joined(mine) is house.joined(its_call) is not None


def test_nothing_is_kept_of_those_that_ended_without_a_call(house: House) -> None:
    traces = [accepted(client(number), number) for number in range(1, 100)]
    house.fold(*traces, call(50001, 200))
    for trace in traces[1:]:
        trace.closed_ns = 300
    house.fold()
    proxy = house.relays._by_pid[PROXY.pid]
    assert (proxy.waiting, proxy.called) == ([traces[0]], 0)


def test_a_call_that_failed_was_the_one_for_its_connection(house: House) -> None:
    mine, later = accepted(client(1), 1), accepted(client(2), 4)
    house.fold(mine, failed=[call(50001, 2, failed_ns=3)])
    its_call = call(50002, 5)
    house.fold(later, its_call)
    assert house.joined(later) is house.joined(its_call) is not None


def test_what_has_ended_waits_no_more(house: House) -> None:
    """Its call was not seen: nobody knows whose it was, say."""
    mine, later, its_call = accepted(client(1), 1), accepted(client(2), 4), call(50002, 5)
    mine.closed_ns = 3
    house.fold(mine, later, its_call)
    assert house.joined(later) is house.joined(its_call) is not None

    again, another, one_call = accepted(client(3), 11), accepted(client(4), 14), call(50004, 15)
    house.fold(again)
    again.closed_ns = 12
    house.fold()
    house.fold(another, one_call)
    assert house.joined(another) is house.joined(one_call) is not None


def test_one_that_waits_for_ever_makes_others_ambiguous_not_wrong(house: House) -> None:
    stuck, mine, its_call = accepted(client(1), 1), accepted(client(2), 2), call(50001, 3)
    house.fold(stuck, mine, its_call)
    assert house.joined(its_call) is None
    assert house.outcomes() == (0, 1)


def test_a_call_to_elsewhere_or_of_another_process_is_no_relay(house: House) -> None:
    mine = accepted(client(1), 1)
    elsewhere, stranger, nobody = (
        call(50001, 2, to="172.17.0.9:80"), call(50002, 3, owner=process(56)),
        call(50003, 4, owner=None),
    )  # fmt: skip
    house.fold(mine, elsewhere, stranger, nobody)
    assert [house.joined(it) for it in (mine, elsewhere, stranger, nobody)] == [None] * 4


def test_a_container_s_own_listener_at_that_port_is_not_the_proxy_s(house: House) -> None:
    inside = accepted("172.17.0.9:40000", 1, door="172.17.0.2:8080")
    mine, its_call = accepted(client(1), 2), call(50001, 3)
    house.fold(inside, mine, its_call)
    assert house.joined(mine) is house.joined(its_call) is not None


def test_one_of_another_namespace_s_loopback_is_taken_out_when_that_is_known(house: House) -> None:
    inside = accepted(client(1), 1)
    house.fold(inside)
    house.relays.disown(7, inside)
    mine, its_call = accepted(client(2), 2), call(50001, 3)
    house.fold(mine, its_call)
    assert house.joined(its_call) is not None
    house.relays.disown(HOST_NETNS, mine)  # it is the proxy's


def test_the_same_addresses_in_another_namespace_are_another_connection(house: House) -> None:
    mine, its_call = accepted(client(1), 1), call(50001, 2)
    house.fold(mine, its_call)
    assert house.joined(mine, netns=7) is None
    assert house.joined(mine) is not None


def test_after_a_loss_nothing_is_joined_for_a_second(house: House) -> None:
    house.fold(accepted(client(9), 1))
    house.fold(until_ns=SECOND, lossy=True)
    early = accepted(client(1), SECOND + 1), call(50001, SECOND + 2)
    house.fold(*early, until_ns=SECOND + 3)
    later = accepted(client(2), 2 * SECOND + 1), call(50002, 2 * SECOND + 2)
    house.fold(*later, until_ns=2 * SECOND + 3)
    assert [house.joined(it) for it in early] == [None, None]
    assert house.metrics.get(Metric.RELAYED, outcome="early") == 1
    assert house.joined(later[0]) is house.joined(later[1]) is not None


def test_one_that_was_there_before_is_trusted_after_a_second() -> None:
    house = House()
    house.relays.forget(PROXY.pid)
    house.fold(until_ns=SECOND)
    house.relays.learn(PROXY, parse_ip("0.0.0.0"), 8080)
    early = accepted(client(1), SECOND + 1), call(50001, SECOND + 2)
    house.fold(*early, until_ns=SECOND + 3)
    assert house.joined(early[1]) is None
    later = accepted(client(2), 2 * SECOND + 1), call(50002, 2 * SECOND + 2)
    house.fold(*later, until_ns=2 * SECOND + 3)
    assert house.joined(later[1]) is not None


def test_one_whose_start_was_seen_is_trusted_at_once() -> None:
    house = House()
    house.relays.forget(PROXY.pid)
    listener = Trace(3, Direction.UNKNOWN, 1)
    listener.is_listener, listener.process = True, PROXY
    listener.local_ip, listener.local_port = address("0.0.0.0:8080")
    mine, its_call = accepted(client(1), 2), call(50001, 3)
    house.relays.fold(
        Tick(opened=[listener], established=[listener, mine, its_call], until_ns=SECOND)
    )
    assert house.joined(mine) is house.joined(its_call) is not None


def test_where_no_proxy_is_left_nothing_is_looked_at() -> None:
    house = House()
    house.relays.forget(PROXY.pid)
    house.relays.forget(PROXY.pid)
    mine, its_call = accepted(client(1), 1), call(50001, 2)
    house.fold(mine, its_call)
    assert house.joined(mine) is None
    assert house.outcomes() == (0, 0)


def test_another_program_that_listens_is_no_proxy() -> None:
    house = House()
    house.relays.forget(PROXY.pid)
    house.relays.learn(
        process(80, "/usr/sbin/nginx", "-container-ip"), parse_ip("0.0.0.0"), 8080, 0
    )
    assert house.relays.target_of(life_of(accepted(client(1), 1))) is None


def test_what_a_proxy_accepted_leads_to_its_target(house: House) -> None:
    target = Address(*address(BACKEND))
    assert house.relays.target_of(life_of(accepted(client(1), 1))) == target
    assert house.relays.target_of(life_of(accepted(client(1), 1), netns=7)) is None
    assert house.relays.target_of(life_of(accepted(client(1), 1, door="10.0.0.9:8080"))) is None
    assert house.relays.target_of(life_of(accepted(client(1), 1, door="127.0.0.1:8081"))) is None


def test_a_proxy_for_one_address_wins_over_one_for_all(house: House) -> None:
    arguments = [*PROXY.arguments[:-3], "172.17.0.3", "-container-port", "80"]
    house.relays.learn(process(56, *arguments), parse_ip(GATEWAY), 8080, 0)
    found = house.relays.target_of(life_of(accepted("172.17.0.9:1", 1, door=f"{GATEWAY}:8080")))
    assert found == Address(*address("172.17.0.3:80"))


def test_joined_ones_whose_lives_never_come_are_forgotten(house: House) -> None:
    mine, its_call = accepted(client(1), 1), call(50001, 2)
    house.fold(mine, its_call)
    house.fold(until_ns=121 * SECOND)
    assert house.joined(mine) is None


class Truth:
    """A docker-proxy that really serves: which call is for which connection."""

    def __init__(self, steps: Sequence[bool]) -> None:
        """A step accepts a connection, or calls for the one that `turn` picks of those waiting."""
        self.traces: list[Trace] = []
        self.served: list[tuple[Trace, Trace]] = []
        waiting: list[Trace] = []
        for now, (does_accept, turn) in enumerate(
            zip(steps, itertools.cycle((0, -1, 1)), strict=False)
        ):
            if does_accept or not waiting:
                waiting.append(accepted(client(now), 10 * now + 1))
                self.traces.append(waiting[-1])
            else:
                mine = waiting.pop(turn % len(waiting))
                its_call = call(50000 + now, 10 * now + 1)
                self.served.append((mine, its_call))
                self.traces.append(its_call)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 7))
def test_whatever_it_does_a_join_is_never_wrong_and_lone_ones_are_joined(
    steps: list[bool], per_tick: int
) -> None:
    truth, house = Truth(steps), House()
    for start in range(0, len(truth.traces), per_tick):
        house.fold(*truth.traces[start : start + per_tick])
    for mine, its_call in truth.served:
        relayed = house.joined(its_call)
        assert relayed is None or relayed.client.port == mine.remote_port
        at = truth.traces.index(mine)
        is_lone = truth.traces[at + 1 : at + 2] == [its_call] and _is_idle(truth, at)
        assert relayed is not None or not is_lone


def _is_idle(truth: Truth, at: int) -> bool:
    """Whether nothing waited when this connection was accepted."""
    before = truth.traces[:at]
    accepts = sum(trace.direction is Direction.INBOUND for trace in before)
    return accepts * 2 == len(before)
