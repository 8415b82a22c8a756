import os
import sys
import threading
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.errors import Permanent, Transient
from connbeat.outputs.console.client import ConsoleOutput
from tests.deliveries import batch, event, events, files_end_at, ids


class Pipe:
    """Both ends, as files: closing one twice cannot hit somebody else's descriptor."""

    def __init__(self) -> None:
        reader, writer = os.pipe()
        self.reader = FileIO(reader, "r")
        self.writer = FileIO(writer, "w")

    @property
    def fd(self) -> int:
        return self.writer.fileno()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.reader.close()
    made.writer.close()


def open_file(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def test_events_become_lines_in_their_order_at_once(pipe: Pipe) -> None:
    assert ConsoleOutput(fd=pipe.fd).send(batch(*events(3))).delivered == events(3)
    assert pipe.reader.read(1000) == b'{"n":0}\n{"n":1}\n{"n":2}\n'


def test_pretty_means_two_spaces(pipe: Pipe) -> None:
    ConsoleOutput(pretty=True, fd=pipe.fd).send(batch(event(0, b'{"a":{"b":[1,2]}}')))
    expected = b'{\n  "a": {\n    "b": [\n      1,\n      2\n    ]\n  }\n}\n'
    assert pipe.reader.read(1000) == expected


@given(st.binary(min_size=1, max_size=200) | st.just(b"[" * 100_000))
def test_what_cannot_be_made_pretty_is_written_as_it_is(body: bytes) -> None:
    console = ConsoleOutput(pretty=True, fd=-1)
    line = console._line(event(0, body))
    assert line.endswith(b"\n")
    if line != body + b"\n":
        assert msgspec.json.format(line, indent=0) == msgspec.json.format(body, indent=0)


def test_a_reader_that_went_away_is_the_end(pipe: Pipe) -> None:
    pipe.reader.close()
    with pytest.raises(Permanent, match="stdout is gone: Broken pipe"):
        ConsoleOutput(fd=pipe.fd).send(batch(event(0)))


def test_a_bad_descriptor_is_refused_at_the_start(pipe: Pipe) -> None:
    console = ConsoleOutput(fd=pipe.fd)
    pipe.writer.close()
    with pytest.raises(Permanent, match="stdout cannot be used: Bad file descriptor"):
        console.open()


def test_a_start_without_stdout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(Permanent, match="stdout is closed"):
        ConsoleOutput().open()


def test_a_pipe_that_does_not_block_loses_nothing(pipe: Pipe) -> None:
    os.set_blocking(pipe.fd, False)
    large = [event(number, b"%d" % number * 50_000) for number in range(8)]
    read = bytearray()

    def drain() -> None:
        while data := pipe.reader.read(65_536):
            read.extend(data)

    thread = threading.Thread(target=drain)
    thread.start()
    ConsoleOutput(fd=pipe.fd).send(batch(*large))
    pipe.writer.close()
    thread.join()
    assert bytes(read).splitlines() == [one.body for one in large]


def test_a_full_disk_behind_stdout_is_gone_on_from_in_the_middle_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "out"
    console = ConsoleOutput(fd=open_file(path))
    with files_end_at(20):
        outcome = console.send(batch(*events(4)))
        assert (ids(outcome.delivered), ids(outcome.retry)) == (["e0", "e1"], ["e2", "e3"])
        with pytest.raises(Transient, match="stdout takes nothing now"):
            console.send(batch(*outcome.retry))
    console.send(batch(*outcome.retry))
    os.close(console._fd)
    assert path.read_bytes().splitlines() == [one.body for one in events(4)]


def test_the_event_after_half_a_line_that_was_dropped_gets_a_line_of_its_own(
    tmp_path: Path,
) -> None:
    path = tmp_path / "out"
    console = ConsoleOutput(fd=open_file(path))
    with files_end_at(3):
        with pytest.raises(Transient):
            console.send(batch(event(0)))
        with pytest.raises(Transient):
            console.send(batch(event(1)))
    console.send(batch(event(1)))
    os.close(console._fd)
    assert path.read_bytes() == b'{"n\n{"n":1}\n'


@given(
    counts=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    limits=st.lists(st.integers(0, 400), max_size=12),
    is_pretty=st.booleans(),
)
def test_whatever_the_disk_does_every_event_stands_there_once(
    tmp_path_factory: pytest.TempPathFactory,
    counts: list[int],
    limits: list[int],
    *,
    is_pretty: bool,
) -> None:
    path = tmp_path_factory.mktemp("disk") / "out"
    console = ConsoleOutput(pretty=is_pretty, fd=open_file(path))
    put = events(sum(counts))
    waiting = list(put)
    for count, limit in zip(counts * 2, limits, strict=False):
        with files_end_at(limit):
            try:
                outcome = console.send(batch(*waiting[:count]))
            except Transient:
                continue
        waiting = [*outcome.retry, *waiting[count:]]
    console.send(batch(*waiting))
    os.close(console._fd)
    text = path.read_text()
    assert text == "".join(console._line(one).decode() for one in put)


def test_checks_say_whether_there_is_a_stdout() -> None:
    pipe = Pipe()
    assert [check.error for check in ConsoleOutput(fd=pipe.fd).checks()] == [""]
    number = pipe.fd
    pipe.writer.close()
    (check,) = ConsoleOutput(fd=number).checks()
    assert "stdout cannot be used" in check.error
    pipe.reader.close()
