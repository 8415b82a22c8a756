"""The client against a small engine of our own, on a UNIX socket; the real one: tests/system."""

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from connbeat.discovery.client import DockerClient
from connbeat.errors import DiscoveryError

VERSION = {"ApiVersion": "1.39"}
EVENT = b'{"Type": "container", "Action": "start"}\n'


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "EngineServer"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.requests.append(self.path)
        status, answer = self.server.answers.get(path, (404, {"message": "page not found"}))
        if isinstance(answer, tuple):
            self._stream(status, answer)
        elif answer is None:
            self.close_connection = True
        else:
            self._send(status, json.dumps(answer).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, status: int, chunks: tuple[bytes | None, ...]) -> None:
        """Each chunk whole; None keeps the stream open until the test is over."""
        self.send_response(status)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in chunks:
            if chunk is None:
                self.server.is_over.wait()
            else:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                self.wfile.flush()
        self.close_connection = True

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        pass


class EngineServer(socketserver.ThreadingUnixStreamServer):
    """Answers by path; `requests` has every path that was asked for."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Handler)
        self.environ = {"DOCKER_HOST": f"unix://{path}"}
        self.answers: dict[str, tuple[int, object]] = {"/version": (200, VERSION)}
        self.requests: list[str] = []
        self.is_over = threading.Event()

    def answer(self, path: str, body: object, status: int = 200) -> None:
        self.answers[f"/v1.39{path}"] = status, body


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EngineServer]:
    with EngineServer(tmp_path / "docker.sock") as engine:
        thread = threading.Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield engine
        engine.is_over.set()
        engine.shutdown()
        thread.join()


@pytest.fixture
def client(server: EngineServer) -> Iterator[DockerClient]:
    engine = DockerClient(server.environ)
    yield engine
    engine.close()


def test_the_version_is_the_one_the_engine_offers(client: DockerClient) -> None:
    assert client.version == "1.39"


def test_an_engine_without_a_version_is_refused(server: EngineServer) -> None:
    server.answers["/version"] = 200, {}
    with pytest.raises(DiscoveryError):
        DockerClient(server.environ)


def test_a_host_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(DiscoveryError, match="nonsense"):
        DockerClient({"DOCKER_HOST": "nonsense://x"})


def test_the_list_is_one_call(server: EngineServer, client: DockerClient) -> None:
    server.answer("/containers/json", [{"Id": "a"}, {"Id": "b"}])
    server.requests.clear()
    assert client.containers() == [{"Id": "a"}, {"Id": "b"}]
    assert [path.partition("?")[0] for path in server.requests] == ["/v1.39/containers/json"]


@pytest.mark.parametrize(
    ("body", "status"), [({"Id": "a"}, 200), ({"message": "no"}, 500), (None, 200)]
)
def test_a_list_that_is_none_is_an_error(
    server: EngineServer, client: DockerClient, body: object, status: int
) -> None:
    server.answer("/containers/json", body, status)
    with pytest.raises(DiscoveryError):
        client.containers()


@pytest.mark.parametrize("status", [404, 409, 500])
def test_a_container_the_engine_cannot_show_is_none(
    server: EngineServer, client: DockerClient, status: int
) -> None:
    server.answer("/containers/a/json", {"message": "no"}, status)
    assert client.inspect("a") is None


def test_an_inspect_that_gets_no_answer_is_an_error(
    server: EngineServer, client: DockerClient
) -> None:
    server.answer("/containers/a/json", {"Id": "a"})
    assert client.inspect("a") == {"Id": "a"}
    server.answer("/containers/a/json", None)
    with pytest.raises(DiscoveryError):
        client.inspect("a")


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ((200, {"Name": "dh"}), "dh"),
        ((200, {}), ""),
        ((200, {"Name": 5}), ""),
        ((200, []), ""),
        ((403, {"message": "forbidden"}), ""),
    ],
)
def test_the_name_of_the_host_is_known_or_empty(
    server: EngineServer, client: DockerClient, answer: tuple[int, object], name: str
) -> None:
    server.answers["/v1.39/info"] = answer
    assert client.name() == name


def test_only_the_events_that_matter_are_asked_for(
    server: EngineServer, client: DockerClient
) -> None:
    server.answer("/events", (EVENT, EVENT, b""))
    assert len(list(client.events())) == 2
    assert "rename" in server.requests[-1]
    assert "exec" not in server.requests[-1]


@pytest.mark.parametrize("last", [(b"",), (), (b'{"Type": ',)])
def test_a_stream_ends_without_a_word_however_it_ends(
    server: EngineServer, client: DockerClient, last: tuple[bytes, ...]
) -> None:
    server.answer("/events", (EVENT, *last))
    assert [event["Action"] for event in client.events() if isinstance(event, dict)] == ["start"]


def test_a_stream_that_is_no_json_ends(server: EngineServer, client: DockerClient) -> None:
    server.answer("/events", (b"<html>", b""))
    assert list(client.events()) == []


def test_an_engine_that_refuses_events_says_so(server: EngineServer, client: DockerClient) -> None:
    server.answer("/events", {"message": "forbidden by policy"}, 403)
    with pytest.raises(DiscoveryError, match="refuses its events: HTTP 403"):
        client.events()


def test_close_ends_a_silent_stream_from_another_thread(
    server: EngineServer, client: DockerClient
) -> None:
    server.answer("/events", (EVENT, None))
    stream = client.events()
    has_begun = threading.Event()
    seen: list[object] = []

    def read() -> None:
        for event in stream:
            seen.append(event)
            has_begun.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert has_begun.wait(10)
    stream.close()
    stream.close()
    reader.join(5)
    assert not reader.is_alive()
    assert len(seen) == 1
