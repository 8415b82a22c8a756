"""A real Kafka broker on loopback: started, killed, restarted, and asked what it has.

It comes from Maven's packages (`kafka/kafka.sh`), needs Java 17 and 200 MB, and is ready after
three seconds: so the tests of one run share one, `shared_broker`, and each makes its own topics.
"""

import atexit
import fcntl
import functools
import hashlib
import itertools
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented there, not exported
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.servers.fault_proxy import FaultProxy

_HERE = Path(__file__).parent / "kafka"
_HOME = Path(__file__).parents[2] / ".cache" / "kafka"
_READY_SECONDS = 60.0
_READ_SECONDS = 20.0

#: Who may log in at the listener `sasl`, by any mechanism.
USER = "agent"
#: Another one, by PLAIN alone, for tests that forbid somebody something.
BARRED_USER = "barred"
PASSWORD = "right"


def missing_for_kafka() -> str:
    """Why there can be no broker here, "" if there can."""
    wanted = ("java",) if (_HOME / "ok").exists() else ("java", "mvn")
    absent = [command for command in wanted if shutil.which(command) is None]
    if absent:
        return f"needs {' and '.join(absent)}: see scripts/test-setup"
    return ""


def fetch() -> Path:
    """Where the broker's jars are; they are fetched once, whoever comes first."""
    _HOME.parent.mkdir(exist_ok=True)
    with (_HOME.parent / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([_HERE / "kafka.sh", "build", _HOME], check=True)
    return _HOME


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, odd ones: ephemeral ports in TIME_WAIT are mostly even."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            listener = held.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
            if port % 2 == 0:
                port += 1
                try:
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
                except OSError:
                    continue
            found.append(port)
    return found


_topic_numbers = itertools.count()


@functools.cache
def shared_broker() -> "KafkaBroker":
    """Runs until this process ends. Who kills it starts it again."""
    folder = tempfile.TemporaryDirectory(prefix="connbeat-kafka-")
    broker = KafkaBroker(Path(folder.name))
    broker.start()
    atexit.register(folder.cleanup)
    atexit.register(broker.close)
    return broker


def new_topic() -> str:
    """A name no other test has."""
    return f"test-{next(_topic_numbers)}"


class Record:
    """One message as it stands in a topic."""

    def __init__(self, partition: int, key: bytes | None, value: bytes, timestamp_ms: int) -> None:
        self.partition = partition
        self.key = key
        self.value = value
        self.timestamp_ms = timestamp_ms


class KafkaBroker:
    """The broker's process and its files. `with` stops it.

    Listeners: `plain`; `proxied`, which `proxy` stands in front of; `sasl` for USER with PASSWORD;
    `tls`, with a certificate of the authority in `ca_file`.
    """

    def __init__(self, folder: Path, *settings: str) -> None:
        """`settings` are `key=value`, as in server.properties; they come before ours."""
        self._folder = folder
        self._settings = settings
        names = ("plain", "proxied", "sasl", "tls", "controller")
        self._ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.proxy = FaultProxy(("127.0.0.1", self._ports["proxied"]))
        self._process: subprocess.Popen[bytes] | None = None
        self._admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        self.ca_file = folder / "ca.pem"
        self.ca_fingerprint = ""
        self._write_files()

    @property
    def address(self) -> str:
        return self.address_of("plain")

    @property
    def address_by_proxy(self) -> str:
        return f"127.0.0.1:{self.proxy.port}"

    def address_of(self, listener: str) -> str:
        return f"127.0.0.1:{self._ports[listener]}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns when it answers. Its data is what it was when it ended."""
        home = fetch()
        environ = {**os.environ, "SCRAM_USER": USER, "SCRAM_PASSWORD": PASSWORD}
        with (self._folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [_HERE / "kafka.sh", "run", home, self._folder / "server.properties"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environ,
            )
        deadline = time.monotonic() + _READY_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                text = (self._folder / "broker.log").read_text()[-3000:]
                self.kill()
                raise AssertionError(f"the broker does not answer: {text}")

    def kill(self) -> None:
        """As a power cut would, but for the page cache."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def close(self) -> None:
        self.stop()
        self.proxy.close()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It accepts connections and answers nothing, until `thaw` or the end of the block."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            self.thaw()

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def make_topic(
        self, name: str, *, partitions: int = 1, settings: Mapping[str, str] | None = None
    ) -> None:
        topic = NewTopic(name, partitions, 1, config=dict(settings or {}))
        self._admin.create_topics([topic])[name].result(_READ_SECONDS)

    def topics(self) -> set[str]:
        return set(self._admin.list_topics(timeout=_READ_SECONDS).topics)

    def forbid(self, user: str, topic: str) -> None:
        """Writing; everybody else may do everything with it."""
        of_topic = (ResourceType.TOPIC, topic, ResourcePatternType.LITERAL)
        rules = [
            AclBinding(*of_topic, f"User:{user}", "*", AclOperation.WRITE, AclPermissionType.DENY),
            AclBinding(*of_topic, "User:*", "*", AclOperation.ALL, AclPermissionType.ALLOW),
        ]
        for made in self._admin.create_acls(rules).values():
            made.result(_READ_SECONDS)

    def read(self, topic: str) -> list[Record]:
        """Every message of the topic, each partition in its order."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.address,
                "group.id": "reader",
                "enable.auto.commit": False,
                "enable.partition.eof": False,
            }
        )
        try:
            metadata = consumer.list_topics(topic, timeout=_READ_SECONDS).topics[topic]
            return [
                record
                for number in metadata.partitions
                for record in _drain(consumer, topic, number)
            ]
        finally:
            consumer.close()

    def values(self, topic: str) -> list[bytes]:
        return [record.value for record in self.read(topic)]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _answers(self) -> bool:
        """Metadata with itself in it: then it takes messages as well."""
        try:
            with socket.create_connection(("127.0.0.1", self._ports["plain"]), 1):
                pass
            return bool(self._admin.list_topics(timeout=2).brokers)
        except (OSError, KafkaException):
            time.sleep(0.1)
            return False

    def _write_files(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca_file))
        der = ssl.PEM_cert_to_DER_cert(authority.cert_pem.bytes().decode())
        self.ca_fingerprint = hashlib.sha256(der).hexdigest()
        leaf = authority.issue_cert("localhost", "127.0.0.1")
        key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
        pkcs8 = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        # With the authority itself, so that it can be found by its fingerprint.
        chain = b"".join(blob.bytes() for blob in (*leaf.cert_chain_pems, authority.cert_pem))
        keystore = self._folder / "keystore.pem"
        keystore.write_bytes(pkcs8 + chain)
        values = {
            **{name: str(port) for name, port in self._ports.items()},
            "proxy": str(self.proxy.port),
            "user": USER,
            "barred": BARRED_USER,
            "password": PASSWORD,
            "keystore": str(keystore),
            "data": str(self._folder / "data"),
        }
        text = (_HERE / "server.properties").read_text()
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        text = "\n".join((text, *self._settings))
        (self._folder / "server.properties").write_text(text)


def _drain(consumer: Consumer, topic: str, partition: int) -> Iterator[Record]:
    """From the first message of the partition to the one that is last now."""
    place = TopicPartition(topic, partition)
    low, high = consumer.get_watermark_offsets(place, timeout=_READ_SECONDS)
    if high <= low:
        return
    consumer.assign([TopicPartition(topic, partition, low)])
    deadline = time.monotonic() + _READ_SECONDS
    position = low
    while position < high:
        for message in consumer.consume(min(10_000, high - position), timeout=1.0):
            if message.error() is None:
                position = (message.offset() or 0) + 1
                yield Record(
                    partition, message.key(), message.value() or b"", message.timestamp()[1]
                )
        if time.monotonic() > deadline:
            raise AssertionError(f"{topic}/{partition} could not be read to its end")
