import socket
import stat
from pathlib import Path

import pytest

from connbeat.telemetry.listening import ListenAddress, connect, is_local, listen, parse_address


@pytest.mark.parametrize(
    ("host", "address", "text"),
    [
        ("localhost", ListenAddress("localhost", 5066), "http://localhost:5066"),
        ("::1", ListenAddress("::1", 5066), "http://[::1]:5066"),
        ("[::1]", ListenAddress("::1", 5066), "http://[::1]:5066"),
        ("unix:///run/c.sock", ListenAddress("", 0, "/run/c.sock"), "unix:///run/c.sock"),
    ],
)
def test_an_address_is_read_and_written(host: str, address: ListenAddress, text: str) -> None:
    assert parse_address(host, 5066) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "host", ["", "unix://x", "unix:///a\0b", "http://x", "a b", "[]", "a\nb", "a..b", "a" * 64]
)
def test_what_is_no_address_says_what_one_is(host: str) -> None:
    with pytest.raises(ValueError, match="path"):
        parse_address(host, 5066)


def test_localhost_is_ipv4_first_and_local() -> None:
    with listen(ListenAddress("localhost", 0)) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        assert is_local(listener)
        assert not listener.getblocking()
        with connect(ListenAddress("localhost", listener.getsockname()[1]), 5) as channel:
            assert channel.gettimeout() == 5


def test_every_address_is_not_local() -> None:
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        assert not is_local(listener)


def test_two_agents_cannot_have_the_same_port() -> None:
    with listen(ListenAddress("127.0.0.1", 0)) as first, pytest.raises(OSError, match="in use"):
        listen(ListenAddress("127.0.0.1", first.getsockname()[1]))


def test_a_unix_socket_is_its_owner_s(tmp_path: Path) -> None:
    address = ListenAddress("", 0, f"{tmp_path}/c.sock")
    with listen(address) as listener:
        assert is_local(listener)
        assert stat.S_IMODE((tmp_path / "c.sock").stat().st_mode) == 0o600
        connect(address, 5).close()
        with pytest.raises(OSError, match="another process listens there"):
            listen(address)


def test_a_socket_left_behind_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    address = ListenAddress("", 0, f"{tmp_path}/c.sock")
    listen(address).close()
    assert (tmp_path / "c.sock").exists()
    listen(address).close()
    (tmp_path / "file").write_text("precious")
    with pytest.raises(OSError, match="in use"):
        listen(ListenAddress("", 0, f"{tmp_path}/file"))
    assert (tmp_path / "file").read_text() == "precious"


def test_nobody_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        connect(ListenAddress("", 0, f"{tmp_path}/nobody"), 5)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            connect(ListenAddress("127.0.0.1", bound.getsockname()[1]), 5)
