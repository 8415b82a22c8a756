"""What every output promises (connbeat/outputs/protocol.py), held against each of them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connbeat.model.batches import Event
from connbeat.outputs.console.client import ConsoleOutput
from connbeat.outputs.file.client import FileOutput
from connbeat.outputs.file.rotation import Rotation
from connbeat.outputs.protocol import Output
from tests.deliveries import batch, events, ids


class Destination:
    """An output and a way to see what arrived there."""

    def __init__(self, output: Output, arrived: Callable[[], bytes]) -> None:
        self.output = output
        self.arrived = arrived


def on_console(directory: Path, *, pretty: bool = False) -> Destination:
    path = directory / "stdout"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    return Destination(ConsoleOutput(pretty=pretty, fd=fd), path.read_bytes)


def on_pretty_console(directory: Path) -> Destination:
    return on_console(directory, pretty=True)


def in_file(directory: Path) -> Destination:
    return Destination(FileOutput(directory, "out"), (directory / "out").read_bytes)


def in_small_files(directory: Path) -> Destination:
    rotation = Rotation(max_bytes=30, number_of_files=1024)

    def arrived() -> bytes:
        oldest_first = sorted(directory.iterdir(), key=lambda path: -int(f"0{path.suffix[1:]}"))
        return b"".join(path.read_bytes() for path in oldest_first)

    return Destination(FileOutput(directory, "out", rotation=rotation), arrived)


@pytest.fixture(params=[on_console, on_pretty_console, in_file, in_small_files])
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Destination]:
    made: Destination = request.param(tmp_path)
    yield made
    made.output.close()
    if isinstance(made.output, ConsoleOutput):
        os.close(made.output._fd)


def as_written(these: tuple[Event, ...], destination: Destination) -> bytes:
    if isinstance(destination.output, ConsoleOutput):
        return b"".join(destination.output._line(one) for one in these)
    return b"".join(one.body + b"\n" for one in these)


def test_every_event_is_named_once_and_arrives_in_order(destination: Destination) -> None:
    destination.output.open()
    for first in range(0, 30, 10):
        sent = events(10, first)
        outcome = destination.output.send(batch(*sent))
        assert ids(outcome.delivered) == ids(sent)
        assert not outcome.retry
        assert not outcome.dropped
    assert destination.arrived() == as_written(events(30), destination)


def test_what_is_delivered_is_there_before_the_close(destination: Destination) -> None:
    destination.output.open()
    destination.output.send(batch(*events(1)))
    assert destination.arrived() == as_written(events(1), destination)


def test_sending_opens_what_is_not_open(destination: Destination) -> None:
    destination.output.send(batch(*events(1)))
    assert destination.arrived()


def test_opening_and_closing_twice_are_harmless(destination: Destination) -> None:
    destination.output.open()
    destination.output.open()
    destination.output.send(batch(*events(1)))
    destination.output.close()
    destination.output.close()
    assert destination.arrived() == as_written(events(1), destination)


def test_opening_changes_nothing_that_is_there(destination: Destination) -> None:
    destination.output.send(batch(*events(1)))
    before = destination.arrived()
    destination.output.close()
    destination.output.open()
    assert destination.arrived() == before


def test_a_reopen_between_batches_loses_and_doubles_nothing(destination: Destination) -> None:
    destination.output.send(batch(*events(2)))
    destination.output.reopen()
    destination.output.reopen()
    destination.output.send(batch(*events(2, first=2)))
    assert destination.arrived() == as_written(events(4), destination)


def test_an_empty_batch_is_nothing(destination: Destination) -> None:
    destination.output.open()
    outcome = destination.output.send(batch())
    assert (outcome.delivered, outcome.retry, outcome.dropped) == ((), (), ())
    assert destination.arrived() == b""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=10))
def test_any_body_is_taken(destination: Destination, bodies: list[bytes]) -> None:
    destination.output.open()
    before = destination.arrived()
    sent = tuple(Event(f"e{n}", n, body) for n, body in enumerate(bodies))
    assert destination.output.send(batch(*sent)).delivered == sent
    assert destination.arrived() == before + as_written(sent, destination)
