"""The servers the oracle asks, one class each: options of the output, start, kill, contents."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from tests.servers.lumberjack_server import LumberjackServer
from tests.servers.processes import ServerProcess, free_port
from tests.servers.redis_server import RedisServer
from tests.services.elasticsearch_node import ElasticsearchNode
from tests.services.kafka_broker import KafkaBroker

ROOT = Path(__file__).parents[2]

#: A network output that does not give a dead server long.
_QUICK = ("timeout=2s", "backoff.init=50ms", "backoff.max=500ms")


def quick(output: str, *options: str) -> list[str]:
    return [f"output.{output}.{option}" for option in (*_QUICK, *options)]


class HttpReceiver:
    """A server that writes what it gets to a file and then answers."""

    allows_duplicates = True

    def __init__(self, folder: Path, batch: str) -> None:
        self._port = free_port()
        self._file = folder / "received.ndjson"
        self._batch = batch
        program = str(ROOT / "tests" / "servers" / "http_receiver.py")
        command = [sys.executable, program, str(self._port), str(self._file)]
        self._process = ServerProcess(command, self._port, folder / "receiver.log")

    def options(self) -> Sequence[str]:
        return quick("http", f"hosts=[127.0.0.1:{self._port}]", f"batch={self._batch}")

    def start(self) -> None:
        self._process.start(self._process.accepts)

    def kill(self) -> None:
        self._process.kill()

    def bodies(self) -> Iterable[bytes]:
        return whole_lines(self._file)


class Elasticsearch:
    """A node: the id of an event makes sending it twice harmless."""

    allows_duplicates = False

    def __init__(self, folder: Path) -> None:
        self._node = ElasticsearchNode(folder / "node")

    def options(self) -> Sequence[str]:
        return quick("elasticsearch", f"hosts=[{self._node.url}]")

    def start(self) -> None:
        self._node.start()

    def kill(self) -> None:
        self._node.kill()

    def bodies(self) -> Iterable[bytes]:
        for hit in self._node.documents("connbeat-*"):
            yield msgspec.json.encode(hit["_source"])


class Kafka:
    """A broker: its producer is idempotent, but an agent that starts anew is another producer."""

    allows_duplicates = True

    def __init__(self, folder: Path) -> None:
        self._broker = KafkaBroker(folder)
        self._has_topic = False

    def options(self) -> Sequence[str]:
        return quick("kafka", f"hosts=[{self._broker.address}]", "topic=oracle")

    def start(self) -> None:
        self._broker.start()
        if not self._has_topic:
            self._broker.make_topic("oracle", partitions=2)
            self._has_topic = True

    def kill(self) -> None:
        self._broker.kill()

    def bodies(self) -> Iterable[bytes]:
        return self._broker.values("oracle")


class Redis:
    """A list that is on disk before the answer."""

    allows_duplicates = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: RedisServer | None = None

    def options(self) -> Sequence[str]:
        return quick("redis", f"hosts=[127.0.0.1:{self._running().port}]")

    def start(self) -> None:
        if self._server is None:
            self._server = RedisServer(self._folder, durable=True)
        else:
            self._server.start()

    def kill(self) -> None:
        if self._server is not None:
            self._server.kill()

    def bodies(self) -> Iterable[bytes]:
        return self._running().list()

    def _running(self) -> RedisServer:
        assert self._server is not None
        return self._server


class Logstash:
    """A lumberjack server whose events are in its file before it acknowledges them."""

    allows_duplicates = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: LumberjackServer | None = None

    def options(self) -> Sequence[str]:
        return quick("logstash", f"hosts=[127.0.0.1:{self._running().port}]")

    def start(self) -> None:
        if self._server is None:
            self._server = LumberjackServer(self._folder)
        else:
            self._server.start()

    def kill(self) -> None:
        if self._server is not None:
            self._server.kill()

    def bodies(self) -> Iterable[bytes]:
        return self._running().bodies()

    def _running(self) -> LumberjackServer:
        assert self._server is not None
        return self._server


def whole_lines(path: Path) -> list[bytes]:
    """Documents one a line; a kill may have left a part of one, which nobody was told of."""
    found = []
    for line in path.read_bytes().split(b"\n"):
        try:
            msgspec.json.decode(line)
        except msgspec.DecodeError:
            continue
        found.append(line)
    return found
