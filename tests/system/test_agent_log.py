"""The agent's own log: where it goes, and that nobody waits for it."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.harness import QUICK, wait_until
from tests.system.peers import Peer, Peers, linked

#: Of the pipe that nobody reads: the smallest the kernel gives.
_PIPE_BYTES = 4096


@pytest.fixture(scope="module")
def server(peers: Peers) -> Peer:
    return peers.inside(peers.netns("log"))


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def command(*options: str) -> list[str]:
    pairs = [word for option in (*QUICK, *options) for word in ("-E", option)]
    return [sys.executable, "-m", "connbeat", "run", *pairs]


def test_it_goes_to_files_with_the_lines_that_users_know(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    log = tmp_path / "logs" / "connbeat"
    options = ("logging.files.interval=24h", "logging.metrics.period=1s", "nice=7", "max_procs=1")
    with (tmp_path / "stderr").open("wb") as err:
        process = subprocess.Popen(
            command(*options), stdout=subprocess.DEVNULL, stderr=err, cwd=tmp_path
        )
    started.append(process)
    wait_until(lambda: log.exists() and "Non-zero metrics" in log.read_text(), 20, "it logs")
    tasks = [int(task.name) for task in Path(f"/proc/{process.pid}/task").iterdir()]
    assert {os.getpriority(os.PRIO_PROCESS, task) for task in tasks} == {7}
    assert {len(os.sched_getaffinity(task)) for task in tasks} == {1}
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    assert (tmp_path / "stderr").read_bytes() == b""
    words = (
        "Setup Beat: connbeat",
        "connbeat start running",
        "Non-zero metrics in the last 1s: ",
        "Received sigterm/sigint, stopping",
        "Total non-zero metrics: ",
        "Uptime: ",
        "connbeat stopped",
    )
    text = log.read_text()
    places = [text.find(word) for word in words]
    assert -1 not in places
    assert places == sorted(places)
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_log_that_nobody_reads_holds_up_neither_capture_nor_the_end(
    tmp_path: Path, started: list[subprocess.Popen[bytes]], server: Peer
) -> None:
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    options = ("logging.metrics.period=1s", f"output.file.path={tmp_path}")
    process = subprocess.Popen(
        [*command(*options), "-e", "-d", "*"], stdout=subprocess.DEVNULL, stderr=write_end
    )
    os.close(write_end)
    started.append(process)
    wait_until(lambda: _waits_for_a_reader(process.pid), 30, "the log is stuck")
    events = tmp_path / "connbeat"
    _, client = linked(server, server)
    port = f'"local_port":{client.local_port},'
    wait_until(lambda: events.exists() and port in events.read_text(), 10, "capture goes on")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    os.close(read_end)


def _waits_for_a_reader(pid: int) -> bool:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return any("pipe_write" in (task / "wchan").read_text() for task in tasks)
