"""The real agent but for its capture: numbered events in place of connections.

python -m tests.system.oracle_driver RUN FIRST RATE -E key=value ...

Puts events FIRST, FIRST + 1, ... into the configured queue, RATE a second, until SIGTERM; then it
drains as the agent does. Says on stdout, before each put, the first number not put yet (`issued`),
and the first one that is not durable yet (`taken`); at its end, what was dropped and what is left.
"""

import os
import signal
import sys
import threading
from collections.abc import Sequence

from connbeat.agent.build import Agent, build_agent
from connbeat.clock import SystemClock
from connbeat.config.load import Sources, load
from connbeat.model.batches import Event
from connbeat.telemetry.log import LogSettings, set_up
from connbeat.telemetry.metrics import Metric

_PUTS_A_SECOND = 20


def main(run: str, first: int, rate: int, options: Sequence[str]) -> None:
    """Until SIGTERM."""
    set_up(LogSettings())
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    clock = SystemClock()
    loaded = load(Sources(overrides=tuple(options)), {})
    agent = build_agent(loaded.settings, {}, clock, dry_run=False)
    agent.queues.open()
    for worker in agent.workers:
        worker.start(lambda name, error: _say(f"gone {name} {error}"))
    number, told = first, first
    while not stop.wait(1 / _PUTS_A_SECOND):
        count = rate // _PUTS_A_SECOND
        _say(f"issued {number + count}")
        agent.queues.intake.put([_event(run, one, clock) for one in range(number, number + count)])
        number += count
        taken = first + int(agent.metrics.get(Metric.SPOOL_EVENTS_WRITTEN))
        if taken > told:
            _say(f"taken {taken}")
            told = taken
    _drain(agent, clock, loaded.settings.shutdown_timeout_seconds)
    _say(f"taken {first + int(agent.metrics.get(Metric.SPOOL_EVENTS_WRITTEN))}")
    _say(f"dropped {int(agent.metrics.total(Metric.EVENTS_DROPPED))}")
    _say(f"left {sum(map(len, agent.queues.places))}")


def _drain(agent: Agent, clock: SystemClock, seconds: float) -> None:
    deadline_ns = clock.monotonic_ns() + int(seconds * 1e9)
    for worker in agent.workers:
        worker.drain(deadline_ns)
    for worker in agent.workers:
        worker.join()
    agent.queues.close()


def _event(run: str, number: int, clock: SystemClock) -> Event:
    body = (
        '{"@timestamp":"2026-11-23T10:00:02.123Z","type":"connbeat",'
        '"beat":{"name":"h1","hostname":"h1","version":"1.0.0","local_ips":["192.0.2.1"]},'
        f'"local_port":80,"connection":{{"id":"{number}","event":"closed"}}}}'
    )
    return Event(f"{run}-{number}", clock.now_ns(), body.encode())


def _say(line: str) -> None:
    """Whole, and at once: what was said counts, also if the next thing is a kill -9."""
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    _, its_run, its_first, its_rate, *pairs = sys.argv
    main(its_run, int(its_first), int(its_rate), [word for word in pairs if word != "-E"])
