"""For which connections the kernel is asked, and for which it is left alone."""

from collections.abc import Sequence

import pytest

from connbeat.connections.life import Life, begin, key_of
from connbeat.connections.translations import Translations
from connbeat.model.addresses import network_of, parse_ip
from connbeat.model.connections import Address, Direction, FourTuple
from connbeat.model.traces import Trace
from tests.builders import HOST_NETNS, address, row

GATEWAY, HOST_IP, WEB = "172.17.0.1", "192.168.2.243", "172.17.0.2:80"
CONTAINER_NETNS = 7


class Kernel:
    """A translator: everybody's real remote is the same."""

    def __init__(self) -> None:
        self.asked: list[FourTuple] = []

    def real_remotes(self, asked: Sequence[FourTuple]) -> list[Address | None]:
        self.asked += asked
        return [Address(*address(WEB)) if ends[3] != 9 else None for ends in asked]


class House:
    """A host with a network of its own and one of its containers."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.translations = Translations(self.kernel)
        addresses = frozenset(map(parse_ip, (GATEWAY, HOST_IP, "127.0.0.1")))
        networks = [network_of(parse_ip(GATEWAY), 16), network_of(parse_ip(HOST_IP), 24)]
        self.translations.set_host(HOST_NETNS, addresses, networks)

    def is_asked(self, life: Life) -> bool:
        found = self.translations.find([life])
        assert found == ([(life, Address(*address(WEB)))] if self.kernel.asked else [])
        return bool(self.kernel.asked)


def life(
    local: str, remote: str, netns: int = HOST_NETNS, direction: Direction = Direction.OUTBOUND
) -> Life:
    socket = row(local, remote)
    made = begin(netns, key_of(socket), socket, 1)
    made.direction = direction
    return made


@pytest.mark.parametrize(
    ("remote", "is_asked"),
    [
        ("10.96.0.10:80", True),  # a service address: no network of ours
        ("203.0.113.1:443", True),  # so is any other machine far away, for all we know
        (f"{HOST_IP}:30080", True),  # an address of the host, which anything may stand behind
        ("192.168.2.7:80", False),  # a neighbour
        ("172.17.0.9:80", False),  # a container
        ("127.0.0.1:8080", False),
        ("[::1]:8080", False),
        ("[2001:db8::1]:443", True),
    ],
)
@pytest.mark.parametrize("direction", [Direction.OUTBOUND, Direction.UNKNOWN])
def test_a_caller_is_asked_for_where_its_call_can_be_translated(
    remote: str, is_asked: bool, direction: Direction
) -> None:
    for netns in (HOST_NETNS, CONTAINER_NETNS):
        local = "[2001:db8::7]:5000" if "[" in remote else f"{HOST_IP}:5000"
        assert House().is_asked(life(local, remote, netns, direction)) == is_asked


@pytest.mark.parametrize(
    ("remote", "netns", "is_asked"),
    [
        (f"{GATEWAY}:5000", CONTAINER_NETNS, True),  # whoever hides behind the host
        ("203.0.113.1:5000", CONTAINER_NETNS, False),  # nobody hides
        ("172.17.0.3:5000", CONTAINER_NETNS, False),
        ("127.0.0.1:5000", CONTAINER_NETNS, False),
        (f"{GATEWAY}:5000", HOST_NETNS, False),
        ("203.0.113.1:5000", HOST_NETNS, False),
    ],
)
def test_an_accepted_one_is_asked_for_where_its_caller_can_be_hidden(
    remote: str, netns: int, is_asked: bool
) -> None:
    assert House().is_asked(life(WEB, remote, netns, Direction.INBOUND)) == is_asked


def test_who_has_its_other_end_here_is_not_asked_for() -> None:
    house, caller = House(), life(f"{HOST_IP}:5000", f"{HOST_IP}:80")
    caller.peer = life(f"{HOST_IP}:80", f"{HOST_IP}:5000")
    assert not house.is_asked(caller)


def test_who_calls_a_published_port_is_not_asked_for() -> None:
    house, caller = House(), life(f"{GATEWAY}:5000", f"{HOST_IP}:8080")
    caller.nat = Address(*address(WEB))
    assert not house.is_asked(caller)


def test_the_question_is_the_ends_as_they_are_and_no_answer_is_no_news() -> None:
    house = House()
    one, other = life("10.0.0.1:5000", "10.96.0.10:9"), life("10.0.0.1:5001", "10.96.0.10:80")
    assert house.translations.find([one, other]) == [(other, Address(*address(WEB)))]
    service = address("10.96.0.10:9"), address("10.96.0.10:80")
    assert house.kernel.asked == [
        (*address("10.0.0.1:5000"), *service[0]),
        (*address("10.0.0.1:5001"), *service[1]),
    ]


def failed(remote: str) -> Trace:
    trace = Trace(1, Direction.OUTBOUND, 5)
    trace.local_ip, trace.local_port = address("10.0.0.1:5000")
    trace.remote_ip, trace.remote_port = address(remote)
    return trace


def test_a_connect_that_failed_is_asked_for_by_the_same_rule() -> None:
    house = House()
    traces = [failed("127.0.0.1:80"), failed("10.96.0.10:80"), failed("10.96.0.10:9")]
    assert house.translations.of_failed(traces) == [None, Address(*address(WEB)), None]
    assert len(house.kernel.asked) == 2
    assert house.translations.of_failed([failed("127.0.0.1:80")]) == [None]
    assert len(house.kernel.asked) == 2
