"""Look: see what there is once, for a command that then ends, and leave nothing behind."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from connbeat.agent.build import Observation
from connbeat.clock import Clock
from connbeat.linux.rlimits import raise_descriptor_limit

#: The first poll waits so long for the engine's list.
_NAMES_SECONDS = 3.0
_ENDING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def looking(observation: Observation, clock: Clock) -> Iterator[Observation]:
    """The observation, with the container engine asked; closed at the end.

    In the main thread. SIGINT and SIGTERM end it, too, as SystemExit: a tracing instance that is
    left behind goes on to record.
    """
    before = {number: signal.signal(number, _end) for number in _ENDING}
    watcher = observation.watcher
    try:
        raise_descriptor_limit()
        if watcher is not None:
            threading.Thread(target=watcher.run, name="docker", daemon=True).start()
            clock.wait(watcher.ready, _NAMES_SECONDS)
        if observation.pods is not None:
            observation.pods.look()
        yield observation
    finally:
        observation.observer.close()
        if watcher is not None:
            watcher.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: FrameType | None) -> NoReturn:
    for each in _ENDING:  # a second one would interrupt the closing
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)
