import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connbeat.telemetry.systemd import Notifier, find_notifier


@contextmanager
def manager(address: str) -> Iterator[socket.socket]:
    """The socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(address)
        channel.settimeout(5)
        yield channel


def test_a_line_a_fact_in_one_datagram(tmp_path: Path) -> None:
    with manager(f"{tmp_path}/notify") as channel:
        assert Notifier(f"{tmp_path}/notify").tell("READY=1", "STATUS=Well.")
        assert channel.recv(4096) == b"READY=1\nSTATUS=Well."


def test_an_abstract_socket_is_found() -> None:
    name = f"connbeat-test-{os.getpid()}-{secrets.token_hex(4)}"
    with manager(f"\0{name}") as channel:
        assert find_notifier({"NOTIFY_SOCKET": f"@{name}"}, os.getpid()).tell("READY=1")
        assert channel.recv(4096) == b"READY=1"


def test_without_a_socket_nothing_is_told_and_nothing_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notifier = find_notifier({"WATCHDOG_USEC": "1000000"}, os.getpid())
    assert not notifier
    assert not notifier.tell("READY=1")
    assert notifier.watchdog_seconds == 0
    assert not caplog.records


@pytest.mark.parametrize("address", ["/nowhere/notify", "vsock:2:1234", "/" + 200 * "x", "@a\0b"])
def test_a_manager_that_cannot_be_told_is_said_once(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    notifier = Notifier(address)
    assert notifier
    assert not notifier.tell("READY=1")
    assert not notifier.tell("READY=1")
    assert len(caplog.records) == 1


def test_a_manager_that_does_not_read_delays_nobody_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connbeat.telemetry.systemd._SEND_SECONDS", 0.01)
    with manager(f"{tmp_path}/notify"):
        notifier = Notifier(f"{tmp_path}/notify")
        assert notifier.tell("WATCHDOG=1")
        while notifier.tell("WATCHDOG=1"):
            pass


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
        ({}, 0),
    ],
)
def test_the_watchdog_is_for_the_process_it_names(environ: dict[str, str], seconds: float) -> None:
    assert find_notifier(environ | {"NOTIFY_SOCKET": "/n"}, 7).watchdog_seconds == seconds
