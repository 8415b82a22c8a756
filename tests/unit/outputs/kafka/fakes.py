"""A producer that does what librdkafka does, when a test wants it to."""

from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException

#: What becomes of a message, given its value: the code of an error, None for delivered, or SILENT.
Answer = Callable[[bytes], int | None]
SILENT = -9999


class FakeProducer:
    """Keeps what it is handed, in requests: everything between two calls of `flush` is one."""

    made: "list[FakeProducer]" = []  # noqa: RUF012  a test clears it

    def __init__(self, settings: dict[str, Any], logger: object = None) -> None:
        self.settings = settings
        self.logger = logger
        self.stored: list[bytes] = []
        self.requests: list[list[bytes]] = []
        self.timestamps_ms: list[int] = []
        self.asked: list[str] = []
        self.answer: Answer = lambda _: None
        self.room = 1_000_000
        self.is_reachable = True
        self.complaints: list[int] = []
        self._waiting: list[tuple[bytes, Callable[[Any, object], None]]] = []
        FakeProducer.made.append(self)

    def __len__(self) -> int:
        return len(self._waiting)

    def produce(
        self,
        _: str,
        value: bytes,
        key: bytes | None,
        *,
        timestamp: int,
        on_delivery: Callable[[Any, object], None],
    ) -> None:
        self.timestamps_ms.append(timestamp)
        assert key is None or isinstance(key, bytes)
        if len(value) > 1000:
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        if len(self._waiting) >= self.room:
            raise BufferError("Local: Queue full")
        self._waiting.append((value, on_delivery))

    def flush(self, _: float) -> int:
        self.poll(0)
        waiting, self._waiting = self._waiting, []
        if waiting:
            self.requests.append([value for value, _ in waiting])
        for value, on_delivery in waiting:
            code = self.answer(value)
            if code == SILENT:
                self._waiting.append((value, on_delivery))
                continue
            if code is None:
                self.stored.append(value)
            on_delivery(None if code is None else KafkaError(code), object())
        return len(self._waiting)

    def purge(self) -> None:
        self.answer = lambda _: KafkaError._PURGE_INFLIGHT

    def poll(self, _: float) -> int:
        complaints, self.complaints = self.complaints, []
        for code in complaints:
            self.settings["error_cb"](KafkaError(code))
        return len(complaints)

    def list_topics(self, topic: str, timeout: float) -> object:
        assert timeout > 0
        self.asked.append(topic)
        if not self.is_reachable:
            self.complaints += [KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN]
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return object()
