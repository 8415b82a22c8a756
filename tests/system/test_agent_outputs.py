"""The real agent and what happens to the place its events go to."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.harness import Agent, call, wait_until

DISK_BYTES = 16 * 1024 * 1024

#: Every connection and listener of the machine again and again, so that events flow.
BUSY = ("connbeat.poll_interval=200ms", "connbeat.aggregation=400ms", "queue.mem.events=200000")

StartAgent = Callable[..., Agent]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB."""
    path = tmp_path / "disk"
    path.mkdir()
    call("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "connbeat-test", str(path))
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


@pytest.fixture(autouse=True)
def listeners() -> Iterator[None]:
    """Something to tell of, also on a host where nothing else listens."""
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        yield


def whole_lines(*paths: Path) -> list[bytes]:
    data = b"".join(path.read_bytes() for path in paths)
    assert data.endswith(b"\n"), "half a line"
    return data.splitlines()


def check_final_counts(agent: Agent, lines: list[bytes]) -> None:
    """The log's last word is what stands in the files, and every line is a document, once."""
    found = re.search(r"Output closed. output=file delivered=(\d+) .* dropped=(\d+)", agent.log())
    assert found is not None, agent.log()
    assert (int(found[1]), int(found[2])) == (len(lines), 0)
    for line in lines:
        json.loads(line)
    assert len(set(lines)) == len(lines)


def test_a_disk_that_was_full_for_a_while_costs_no_event(
    disk: Path, start_agent: StartAgent
) -> None:
    filler = disk / "filler"
    filler.write_bytes(b"\0" * (DISK_BYTES - 32 * 1024))
    agent = start_agent(*BUSY, f"output.file.path={disk}")
    wait_until(lambda: "No space left on device" in agent.log(), 20, "the disk is full")
    assert whole_lines(disk / "connbeat")
    filler.unlink()
    wait_until(lambda: "takes events again" in agent.log(), 90, "there is room again")
    assert agent.stop() == 0
    check_final_counts(agent, whole_lines(disk / "connbeat"))
    assert agent.log().count("The output takes no events") == 1


def test_a_file_moved_away_is_let_go_at_sighup(tmp_path: Path, start_agent: StartAgent) -> None:
    path, moved = tmp_path / "logs" / "connbeat", tmp_path / "moved"
    agent = start_agent(*BUSY, f"output.file.path={path.parent}")
    wait_until(lambda: path.exists() and path.stat().st_size > 0, 20, "events in the file")
    path.rename(moved)
    agent.process.send_signal(signal.SIGHUP)
    wait_until(lambda: path.exists() and path.stat().st_size > 0, 20, "events in a new file")
    assert agent.stop() == 0
    check_final_counts(agent, whole_lines(moved, path))


def test_a_reader_that_went_away_stops_the_agent(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "connbeat", "run", "-E", "connbeat.aggregation=400ms"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        json.loads(process.stdout.readline())
        process.stdout.close()
        log = process.stderr.read()
        assert process.wait(20) == 1
    assert "The output is gone. output=console error=stdout is gone: Broken pipe" in log
    assert "Traceback" not in log


def test_a_path_that_cannot_be_written_to_stops_the_start(
    tmp_path: Path, start_agent: StartAgent
) -> None:
    (tmp_path / "file").write_text("")
    agent = start_agent(f"output.file.path={tmp_path / 'file'}")
    assert agent.process.wait(20) == 1
    assert "file/connbeat: Not a directory" in agent.log()
