import socket
from pathlib import Path

import pytest

from connbeat.discovery.engine_socket import describe, knock, socket_identity, socket_path
from connbeat.errors import DiscoveryError


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({}, "/var/run/docker.sock"),
        ({"DOCKER_HOST": ""}, "/var/run/docker.sock"),
        ({"DOCKER_HOST": "unix:///run/user/1000/docker.sock"}, "/run/user/1000/docker.sock"),
    ],
)
def test_the_socket_is_the_one_that_is_named(environ: dict[str, str], path: str) -> None:
    assert socket_path(environ) == Path(path)


def test_an_engine_behind_tcp_has_no_socket() -> None:
    assert socket_path({"DOCKER_HOST": "tcp://127.0.0.1:2375"}) is None
    assert socket_identity(None) is None


def test_a_socket_made_anew_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    assert socket_identity(path) is None
    path.touch()
    first = socket_identity(path)
    # The new one exists before the old one is gone, so that it cannot have the same inode.
    (tmp_path / "new").touch()
    (tmp_path / "new").replace(path)
    assert None not in {first, socket_identity(path)}
    assert socket_identity(path) != first


def test_a_knock_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        with pytest.raises(DiscoveryError, match="connection refused"):
            knock(path)
        listener.listen()
        knock(path)


def test_a_missing_socket_is_called_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(DiscoveryError, match=r"docker\.sock: no such socket"):
        knock(tmp_path / "docker.sock")


def test_an_error_is_told_by_what_lies_behind_it() -> None:
    error = RuntimeError("Connection aborted")
    error.__cause__ = ValueError("odd")
    error.__cause__.__context__ = PermissionError(13, "Permission denied")
    assert describe(error).startswith("permission denied")


def test_the_same_error_is_told_in_the_same_words() -> None:
    texts = {describe(ValueError(f"<Connection object at {address:#x}>")) for address in (10, 11)}
    assert texts == {"ValueError: <Connection object>"}


def test_a_chain_that_bites_its_tail_ends() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert describe(first) == "ValueError: first"
