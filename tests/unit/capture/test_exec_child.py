"""The exec reader's process, really started, on a trace that the test writes (a kernel's:
tests/system).
"""

import errno
import os
import select
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connbeat.capture.exec_child import ExecChild
from connbeat.capture.exec_record import unpack_record
from connbeat.capture.formats import EXEC
from connbeat.errors import CaptureError
from connbeat.linux.procfs import ProcFs
from tests.traces import page, record, short_event
from tests.unit.capture.trace_tree import TraceTree


class House(TraceTree):
    """Pipes that really wait: an instance of two processors."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "execs")
        self.writers: list[int] = []
        self.children: list[ExecChild] = []
        for number in range(2):
            self._pipe(number).unlink()
            os.mkfifo(self._pipe(number))
            # Opened for both, it does not wait for a reader.
            self.writers.append(os.open(self._pipe(number), os.O_RDWR | os.O_CLOEXEC))

    def start(self) -> ExecChild:
        child = ExecChild(self.tracefs, ProcFs(self.proc.root), with_environ=False)
        self.children.append(child)
        return child

    def executes(self, pid: int, processor: int = 0) -> None:
        self.proc.add(f"== {pid}/cmdline\nwget\\0-{pid}\\0\n")
        made = record(self.tracefs.format(EXEC), {"pid": pid, "common_pid": 1})
        os.write(self.writers[processor], page(1000, short_event(made)))

    def close(self) -> None:
        for child in self.children:
            child.close()
        for writer in self.writers:
            os.close(writer)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def told(child: ExecChild, count: int) -> list[tuple[int, bytes | int]]:
    """(pid, its command line) of so many messages."""
    found: list[tuple[int, bytes | int]] = []
    while len(found) < count:
        assert select.select([child._channel], [], [], 10)[0], "a message"
        for message in child.receive():
            pid, _, _, files = unpack_record(message)
            found.append((pid, files["cmdline"]))
    return found


def test_its_reader_is_woken_at_every_exec_and_by_nothing_else(house: House) -> None:
    child = house.start()
    assert house.setting("buffer_percent") == "0"
    assert house.setting(f"events/{EXEC}/enable") == "1"
    assert len(list(house.instance.rglob("enable"))) == 1
    child.close()
    assert house.setting("tracing_on") == "0"


def test_every_exec_of_every_processor_is_told(house: House) -> None:
    child = house.start()
    assert list(child.receive()) == []
    house.executes(101)
    house.executes(102, processor=1)
    assert sorted(told(child, 2)) == [(101, b"wget\0-101\0"), (102, b"wget\0-102\0")]
    assert list(child.receive()) == []


def test_it_is_a_process_that_can_be_recognised_and_is_gone_after_close(house: House) -> None:
    child = house.start()
    house.executes(101)
    told(child, 1)  # it has begun
    proc = Path(f"/proc/{child.pid}")
    assert proc.joinpath("comm").read_text() == "connbeat-execs\n"
    assert b"connbeat.capture.exec_program" in proc.joinpath("cmdline").read_bytes()
    child.close()
    assert not proc.exists()


def test_a_terminals_or_an_init_systems_signal_to_all_of_us_does_not_end_it(house: House) -> None:
    child = house.start()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(child.pid, number)
    assert os.getpgid(child.pid) == os.getsid(child.pid) == child.pid
    house.executes(101)
    assert told(child, 1)[0][0] == 101


def test_that_it_was_killed_is_told_after_what_it_told_itself(house: House) -> None:
    child = house.start()
    house.executes(101)
    select.select([child._channel], [], [], 10)
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(CaptureError, match="ended"):
        told(child, 2)


def test_one_that_does_not_end_by_itself_is_killed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connbeat.capture.exec_child._END_SECONDS", 0.01)
    child = house.start()
    house.executes(101)
    told(child, 1)
    os.kill(child.pid, signal.SIGSTOP)
    child.close()
    assert not Path(f"/proc/{child.pid}").exists()


def test_that_its_instance_was_switched_off_is_seen(house: House) -> None:
    child = house.start()
    assert child.is_recording()
    house.switch_off()
    assert not child.is_recording()


def descriptors() -> list[str]:
    return sorted(link.name for link in Path("/proc/self/fd").iterdir())


def no_event(house: House, _: pytest.MonkeyPatch) -> None:
    (house.instance / "events" / EXEC).rmdir()


def no_interpreter(_: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")


def no_host_pids(house: House, _: pytest.MonkeyPatch) -> None:
    house.contain()


def no_channel(_: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("socket.socketpair", refuse)


@pytest.mark.parametrize("lack", [no_event, no_interpreter, no_host_pids, no_channel])
def test_what_cannot_be_started_leaves_nothing_on(
    house: House, monkeypatch: pytest.MonkeyPatch, lack: Callable[..., None]
) -> None:
    lack(house, monkeypatch)
    before = descriptors()
    with pytest.raises(CaptureError):
        house.start()
    assert house.setting("tracing_on") in ("", "0")
    assert descriptors() == before
