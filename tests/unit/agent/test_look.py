import resource
import signal
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from connbeat.agent.build import Observation
from connbeat.agent.look import looking
from connbeat.clock import SystemClock

FILES = resource.RLIMIT_NOFILE


class Place:
    """An observation that notes what is done to it, with a container engine that answers."""

    def __init__(self) -> None:
        self.observer = self.watcher = self.pods = self
        self.ready = threading.Event()
        self.done: list[str] = []

    def run(self) -> None:
        self.done.append("engine asked")
        self.ready.set()

    def look(self) -> None:
        """At the Kubernetes node, of which it has nothing to say."""

    def stop(self) -> None:
        self.done.append("engine left")

    def close(self) -> None:
        signal.raise_signal(signal.SIGTERM)  # who is impatient
        self.done.append("closed")

    def observation(self) -> Observation:
        return cast(Observation, cast(Any, self))


@pytest.fixture(autouse=True)
def limits() -> Iterator[None]:
    before = resource.getrlimit(FILES)
    yield
    resource.setrlimit(FILES, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_behind_nor_does_a_second_one(number: int) -> None:
    place = Place()
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as left, looking(place.observation(), SystemClock()):
        signal.raise_signal(number)
    assert left.value.code == 128 + number
    assert place.done == ["engine asked", "closed", "engine left"]
    assert signal.getsignal(number) is before


def fail() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # nobody is impatient this time
    raise ZeroDivisionError


def test_neither_does_a_failure() -> None:
    place = Place()
    with pytest.raises(ZeroDivisionError), looking(place.observation(), SystemClock()):
        fail()
    assert place.done == ["engine asked", "closed", "engine left"]
