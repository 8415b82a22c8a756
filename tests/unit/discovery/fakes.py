"""An engine and a clock with behaviour, for the tests of this room."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

from connbeat.errors import DiscoveryError

Step = dict[str, Any] | Callable[[], object]


def event(action: str, container_id: str, **attributes: str) -> dict[str, Any]:
    return {
        "Type": "container",
        "Action": action,
        "Actor": {"ID": container_id, "Attributes": attributes},
    }


def wiring(action: str, container_id: str) -> dict[str, Any]:
    return {
        "Type": "network",
        "Action": action,
        "Actor": {"ID": "0" * 64, "Attributes": {"container": container_id}},
    }


class FakeStream:
    """Sends its steps: dicts as they are, anything else is called and sends nothing."""

    def __init__(self, steps: list[Step]) -> None:
        self._steps = steps
        self.is_closed = False

    def __iter__(self) -> Iterator[object]:
        for step in self._steps:
            if self.is_closed:
                return
            if isinstance(step, dict):
                yield step
            else:
                step()

    def close(self) -> None:
        self.is_closed = True


class FakeEngine:
    """Holds containers by id, as inspect would show them, and keeps a list of its calls."""

    version = "1.41"

    def __init__(self, steps: list[Step] | None = None) -> None:
        self.known: dict[str, object] = {}
        self.calls: list[str] = []
        self.is_closed = False
        self.is_silent = False
        self.stream = FakeStream(steps or [])

    def start(self, container_id: str, **changes: object) -> None:
        self.known[container_id] = {
            "Id": container_id,
            "Name": f"/name-{container_id}",
            "State": {"Running": True, "Pid": 7},
        } | changes

    def remove(self, container_id: str) -> None:
        del self.known[container_id]

    def events(self) -> FakeStream:
        self.calls.append("events")
        return self.stream

    def containers(self) -> list[object]:
        self._ask("list")
        return [{"Id": name, "Names": [f"/{name}"], "State": "running"} for name in self.known]

    def inspect(self, container_id: str) -> object | None:
        self._ask(f"inspect {container_id}")
        return self.known.get(container_id)

    def name(self) -> str:
        self._ask("info")
        return "dockerhost"

    def close(self) -> None:
        self.is_closed = True

    def _ask(self, call: str) -> None:
        self.calls.append(call)
        if self.is_silent:
            raise DiscoveryError("no answer in time")


class FakeClock:
    """Time passes when somebody waits; `on_wait` is called before each wait, with its seconds."""

    def __init__(self, on_wait: Callable[[float], None] = lambda _: None) -> None:
        self.monotonic = 0
        self._on_wait = on_wait

    def now_ns(self) -> int:
        return self.monotonic

    def monotonic_ns(self) -> int:
        return self.monotonic

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self._on_wait(seconds)
        self.monotonic += int(seconds * 10**9)
        return event.is_set()
