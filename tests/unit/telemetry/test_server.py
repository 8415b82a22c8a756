import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connbeat.clock import SystemClock
from connbeat.telemetry import server
from connbeat.telemetry.http_message import Request, Response
from connbeat.telemetry.listening import ListenAddress, connect
from connbeat.telemetry.metrics import Metric, Metrics
from connbeat.telemetry.server import HttpServer

#: Only a hang takes so long.
HANG_SECONDS = 20


def fail(_: Request) -> Response:
    raise RuntimeError("a bug")


class Stage:
    """A server at a socket of its own."""

    def __init__(self, folder: Path) -> None:
        self.address = ListenAddress("", 0, f"{folder}/c.sock")
        self.metrics = Metrics()
        routes = {
            "/": lambda request: Response(repr(dict(request.query)).encode()),
            "/large": lambda _: Response(b"x" * 2_000_000),
            "/fail": fail,
        }
        self.server = HttpServer(self.address, routes, self.metrics, SystemClock())

    def connect(self) -> socket.socket:
        return connect(self.address, HANG_SECONDS)

    def ask(self, text: str) -> tuple[str, bytes]:
        """The status line and the body."""
        with self.connect() as channel:
            channel.sendall(text.encode())
            return split(read_all(channel))


def read_all(channel: socket.socket) -> bytes:
    received = b""
    while more := channel.recv(65536):
        received += more
    return received


def split(received: bytes) -> tuple[str, bytes]:
    head, _, body = received.partition(b"\r\n\r\n")
    return head.decode().partition("\r\n")[0], body


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    made.server.open()
    made.server.start()
    yield made
    made.server.close()


def test_a_request_gets_its_answer_and_is_counted(stage: Stage) -> None:
    assert stage.ask("GET /?a=1 HTTP/1.1\r\n\r\n") == ("HTTP/1.1 200 OK", b"{'a': '1'}")
    assert stage.ask("HEAD / HTTP/1.1\r\n\r\n") == ("HTTP/1.1 200 OK", b"")
    assert stage.ask("GET /large/ HTTP/1.1\r\n\r\n")[1] == b"x" * 2_000_000
    assert stage.metrics.get(Metric.HTTP_REQUESTS, code="200") == 3


def test_what_is_not_there_or_not_allowed_or_broken_is_told_and_the_next_is_served(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    asked = ("GET /no HTTP/1.1", "DELETE / HTTP/1.1", "GET /fail HTTP/1.1", "GET / HTTP/1.1")
    found = [stage.ask(f"{line}\r\n\r\n")[0].split()[1] for line in asked]
    assert found == ["404", "405", "500", "200"]
    assert "path=/fail" in caplog.text
    assert stage.metrics.get(Metric.HTTP_REQUESTS, code="500") == 1


def test_who_says_nothing_or_goes_away_delays_nobody(stage: Stage) -> None:
    silent, gone = stage.connect(), stage.connect()
    gone.sendall(b"GET /large HTTP/1.1\r\n\r\n")
    gone.close()
    for _ in range(3):
        assert stage.ask("GET / HTTP/1.1\r\n\r\n")[0] == "HTTP/1.1 200 OK"
    with silent:
        silent.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert split(read_all(silent))[0] == "HTTP/1.1 200 OK"


def test_who_ends_in_the_middle_of_a_request_gets_nothing(stage: Stage) -> None:
    with stage.connect() as channel:
        channel.sendall(b"GET / HT")
        channel.shutdown(socket.SHUT_WR)
        assert read_all(channel) == b""


def test_a_connection_has_its_time_however_slowly_it_reads_or_writes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_SECONDS", 0.05)
    with stage.connect() as writer, stage.connect() as reader:
        reader.sendall(b"GET /large HTTP/1.1\r\n\r\n")
        assert read_all(writer) == b""
        wait_for_end(stage)
        assert len(read_all(reader)) < 2_000_000


def wait_for_end(stage: Stage) -> None:
    """Until the server holds no connection; no timing decides, only a hang ends it."""
    give_up = time.monotonic() + HANG_SECONDS
    while stage.server._connections:
        assert time.monotonic() < give_up
        time.sleep(0.005)


def test_too_many_connections_cost_the_oldest(stage: Stage) -> None:
    held = [stage.connect() for _ in range(server._MAX_CONNECTIONS)]
    assert stage.ask("GET / HTTP/1.1\r\n\r\n")[0] == "HTTP/1.1 200 OK"
    assert read_all(held[0]) == b""
    held[-1].sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert split(read_all(held[-1]))[0] == "HTTP/1.1 200 OK"
    for channel in held:
        channel.close()


def test_the_end_leaves_nothing_behind(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.server.open()
    stage.server.start()
    with stage.connect() as channel:
        stage.ask("GET / HTTP/1.1\r\n\r\n")
        stage.server.close()
        assert read_all(channel) == b""
    assert list(tmp_path.iterdir()) == []
    assert not stage.server._thread.is_alive()


def test_a_server_that_never_started_can_be_closed(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.server.open()
    stage.server.close()
    assert list(tmp_path.iterdir()) == []
    HttpServer(stage.address, {}, Metrics(), SystemClock()).close()


@pytest.mark.parametrize(("host", "is_warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_an_address_that_other_machines_reach_is_warned_of(
    host: str,
    is_warned: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def listen(_: ListenAddress) -> socket.socket:
        listener = socket.socket()
        listener.bind((host, 0))
        return listener

    monkeypatch.setattr(server, "listen", listen)
    one = HttpServer(ListenAddress(host, 0), {}, Metrics(), SystemClock())
    one.open()
    one.close()
    assert [r.levelno for r in caplog.records] == [logging.WARNING] * is_warned
