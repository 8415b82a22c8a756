import pytest

from connbeat.connections.life import Life, begin, key_of
from connbeat.connections.published import PublishedPorts
from connbeat.model.addresses import parse_ip
from connbeat.model.connections import Address
from connbeat.model.containers import PublishedPort
from tests.builders import HOST_NETNS, FakeContainers, address, row

INSIDE = address("172.17.0.2:80")
PORT = PublishedPort(b"\0\0\0\0", 8080, INSIDE[0], INSIDE[1], "c" * 64)


def ports() -> PublishedPorts:
    published = {"192.168.2.243:8080": PORT, "127.0.0.1:8080": PORT, "1.1.1.1:8080": PORT}
    made = PublishedPorts(FakeContainers(published=published))
    made.set_host(HOST_NETNS, frozenset({parse_ip("192.168.2.243"), parse_ip("127.0.0.1")}))
    return made


def life(remote: str, netns: int) -> Life:
    socket = row("192.168.2.243:5000", remote)
    return begin(netns, key_of(socket), socket, 1)


@pytest.mark.parametrize(
    ("remote", "netns", "is_published"),
    [
        ("192.168.2.243:8080", HOST_NETNS, True),
        ("192.168.2.243:8080", 7, True),  # a container that calls the host's address
        ("192.168.2.243:8081", HOST_NETNS, False),
        ("127.0.0.1:8080", HOST_NETNS, True),
        ("127.0.0.1:8080", 7, False),  # its own loopback, not the host's
        ("1.1.1.1:8080", HOST_NETNS, False),  # another machine that has the same port
    ],
)
def test_a_published_port_is_one_of_the_host_s_own(
    remote: str, netns: int, is_published: bool
) -> None:
    found = ports().behind(life(remote, netns))
    assert found == (Address(*INSIDE) if is_published else None)


def test_before_the_host_is_known_nothing_is_published() -> None:
    unset = PublishedPorts(FakeContainers(published={"192.168.2.243:8080": PORT}))
    assert unset.behind(life("192.168.2.243:8080", HOST_NETNS)) is None
