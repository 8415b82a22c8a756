"""What the agent does when it is stopped, cut off, misconfigured, or pressed hard."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.harness import QUICK, Agent, wait_until
from tests.system.peers import Peer, Peers, closed, linked

CONNBEAT = (sys.executable, "-m", "connbeat")
#: More than a pipe holds: 64 KiB are about a hundred events.
MANY = 400


def options(*pairs: str) -> list[str]:
    return [word for pair in (*QUICK, *pairs) for word in ("-E", pair)]


@pytest.fixture(scope="module")
def server(peers: Peers) -> Peer:
    return peers.inside(peers.netns("robust"))


@pytest.fixture(scope="module")
def crowd(peers: Peers) -> Peer:
    """A process with so many listeners that their events fill a pipe."""
    peer = peers.inside(peers.netns("crowd"))
    peer.do_all(*[("listen", {"ip": "127.0.0.1", "port": 0})] * MANY)
    return peer


class Stuck:
    """An agent whose standard output is a pipe that nobody empties."""

    def __init__(self, log: Path, *pairs: str) -> None:
        self.reader, writer = os.pipe()
        self._log = log
        with log.open("wb") as err:
            self.process = subprocess.Popen(
                [*CONNBEAT, "run", *options(*pairs)], stdout=writer, stderr=err, cwd=log.parent
            )
        os.close(writer)
        wait_until(lambda: "Capture stands." in self.log(), 15, "the first poll")
        wait_until(self._is_waiting, 15, "the output waits")

    def log(self) -> str:
        return self._log.read_text()

    def stop(self, *signals: int) -> tuple[int, float]:
        """Exit code, and the seconds from the last of these signals to the end."""
        for number in signals:
            self.process.send_signal(number)
            time.sleep(0.5)  # it has to be in the middle of stopping
        since = time.monotonic()
        return self.process.wait(30), time.monotonic() - since

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        os.close(self.reader)

    def _is_waiting(self) -> bool:
        """Whether a thread of it is in the middle of writing to the pipe."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return any("pipe_write" in (task / "wchan").read_text() for task in tasks)


@pytest.fixture
def stuck(tmp_path: Path, crowd: Peer) -> Iterator[Stuck]:
    assert crowd.pid
    made = Stuck(tmp_path / "agent.log", "shutdown_timeout=2s")
    yield made
    made.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_what_is_known_and_the_final_counts(
    tmp_path: Path, server: Peer, number: int
) -> None:
    with Agent(tmp_path, *QUICK, "connbeat.poll_interval=1h") as agent:
        agent.wait_ready()
        ends = linked(server, server)  # nobody will look at it before the end
        agent.process.send_signal(number)
        assert agent.process.wait(10) == 0
        for end in ends:
            assert agent.found(end.is_in)[-1]["connection"]["event"] == "opened"
        log = agent.log()
        assert f"delivered={len(agent.events())} retried=0 dropped=0" in log
        assert f"reports={len(agent.events())}" in log
        assert log.endswith("connbeat stopped. exit_code=0\n")


def test_an_output_that_takes_nothing_holds_up_the_end_for_shutdown_timeout(stuck: Stuck) -> None:
    code, seconds = stuck.stop(signal.SIGTERM)
    assert code == 0
    assert seconds < 4
    counts = next(line for line in stuck.log().splitlines() if "Output closed." in line)
    assert int(counts.partition("dropped=")[2]) > MANY / 2


def test_a_second_signal_leaves_at_once(stuck: Stuck) -> None:
    code, seconds = stuck.stop(signal.SIGTERM, signal.SIGTERM)
    assert code == 1
    assert seconds < 0.5
    assert "second signal" in stuck.log()
    assert "Output closed." not in stuck.log()


def test_a_full_queue_drops_the_oldest_and_counts_them_and_capture_goes_on(
    tmp_path: Path, crowd: Peer
) -> None:
    assert crowd.pid
    log = tmp_path / "agent.log"
    small = ("queue.mem.events=50", "queue.mem.flush.min_events=10", "connbeat.aggregation=250ms")
    made = Stuck(log, *small, "shutdown_timeout=1s", "logging.metrics.period=1s")
    try:
        wait_until(lambda: polls(made.log()) > 8, 20, "it goes on to look")
        code, _ = made.stop(signal.SIGTERM)
        assert code == 0
        counts = next(line for line in made.log().splitlines() if "Output closed." in line)
        assert int(counts.partition("dropped=")[2]) > MANY
        assert 'reason="queue_full"' in made.log()
        assert "Traceback" not in made.log()
    finally:
        made.close()


def polls(log: str) -> int:
    """As the periodic lines count them."""
    parts = log.split("connbeat_polls_total=")[1:]
    return sum(int(part.split()[0]) for part in parts)


def test_a_reader_that_has_seen_enough_ends_it(crowd: Peer) -> None:
    """`connbeat | head -1`"""
    assert crowd.pid
    command = " ".join((*CONNBEAT, "run", *options()))
    result = subprocess.run(
        ["sh", "-c", f"{{ {command}; echo $? >&2; }} | head -1"],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert result.stdout.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1] == "1"
    assert "The output is gone." in result.stderr


def test_without_a_standard_output_it_does_not_start() -> None:
    command = " ".join((*CONNBEAT, "run", *options()))
    result = subprocess.run(
        ["sh", "-c", f"{command} >&-"], capture_output=True, text=True, timeout=20, check=False
    )
    assert result.returncode == 1
    assert "stdout is closed" in result.stderr
    assert "Traceback" not in result.stderr


BROKEN = """\
connbeat:
  poll_intervall: 2s
  aggregation: soon
output.console:
  pretty: perhaps
"""


def test_a_wrong_configuration_is_refused_with_every_fault_before_anything_else(
    tmp_path: Path,
) -> None:
    path = tmp_path / "connbeat.yml"
    path.write_text(BROKEN)
    path.chmod(0o600)
    result = run("-c", str(path))
    assert result.returncode == 2
    assert result.stdout == ""
    faults = result.stderr.splitlines()
    assert len(faults) == 3
    for line, (number, word) in zip(
        faults, ((2, "poll_interval"), (3, "aggregation"), (5, "pretty")), strict=True
    ):
        assert f"{path}:{number}" in line
        assert word in line


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("-c", "/nonexistent/connbeat.yml"), "/nonexistent/connbeat.yml"),
        (("-c", "/proc/self/mem"), "/proc/self/mem"),
        (("-E", "connbeat.poll_interval=-1s"), "poll_interval"),
        (("-E", "connbeat.capture=everything"), "procfs"),
        (("-E", "output.kafka.hosts=[a]"), "output.kafka"),
        (("--no-such-flag",), "--no-such-flag"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(arguments: tuple[str, ...], word: str) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert word in result.stderr
    assert "Traceback" not in result.stderr
    assert "Setup Beat" not in result.stderr


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*CONNBEAT, "run", *arguments], capture_output=True, text=True, timeout=20, check=False
    )


class Storm:
    """Processes of a shell script that never stops, in the test's own process group."""

    def __init__(self, script: str, copies: int = 2) -> None:
        self._shells = [
            subprocess.Popen(
                ["sh", "-c", script],
                start_new_session=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for _ in range(copies)
        ]

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        for shell in self._shells:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait(10)


#: Each a namespace with a listener for some milliseconds.
NAMESPACES = (
    "while :; do unshare --net sh -c"
    " 'busybox ip link set lo up; timeout 0.02 busybox nc -l -p 80'; done"
)
#: Each two processes that live some milliseconds, one that calls and one that answers.
PROCESSES = (
    "while :; do busybox wget -q -O /dev/null http://127.0.0.1:7999/; busybox usleep 1000; done"
)


@pytest.mark.parametrize("interval", ["200ms", "10ms"])
def test_namespaces_that_live_for_20_ms_disturb_nothing(
    tmp_path: Path, server: Peer, interval: str
) -> None:
    with Agent(tmp_path, *QUICK, f"connbeat.poll_interval={interval}") as agent:
        agent.wait_ready()
        with Storm(NAMESPACES):
            assert_all_is_told(agent, server)
            if interval == "10ms":  # some of them are seen
                agent.wait_for(lambda it: it["local_port"] == 80, "listeners of theirs", count=3)
        assert agent.stop() == 0
        assert "polls_failed" not in agent.log()


def test_processes_that_live_for_some_milliseconds_disturb_nothing(
    tmp_path: Path, peers: Peers, server: Peer
) -> None:
    netns = peers.netns("storm")
    inside = f"nsenter --net=/run/netns/{netns.name}"
    with (
        Agent(tmp_path, *QUICK, "connbeat.poll_interval=20ms") as agent,
        Storm(f"{inside} busybox httpd -f -p 7999", copies=1),
        Storm(f"{inside} sh -c '{PROCESSES}'"),
    ):
        assert_all_is_told(agent, server)
        told = agent.wait_for(lambda it: it.get("remote_port") == 7999, "their calls", count=50)
        # Whoever it was, or nobody: never the process that has its pid by now.
        named = {it["local_process"]["binary"] for it in told if "pid" in it["local_process"]}
        assert named <= {"busybox", "sh", "dash", "bash"}
        assert agent.stop() == 0
        assert "polls_failed" not in agent.log()


def assert_all_is_told(agent: Agent, server: Peer) -> None:
    """Some connections of a quiet place, each from its beginning to its end."""
    for _ in range(5):
        ends = linked(server, server)
        for one in ends:
            agent.wait_for(one.is_in, "an end")
        server.close_sock(*ends)
        last = [closed(agent, one) for one in ends]
        assert last[1]["local_process"]["pid"] == server.pid
        # The other end may never have been seen but in the backlog, where it is nobody's.
        assert last[0]["local_process"].get("pid", server.pid) == server.pid


def test_names_that_a_process_gives_itself_break_no_line(tmp_path: Path, server: Peer) -> None:
    """Control characters, line feeds and bytes that are no UTF-8 in its arguments."""
    odd = 'a\nb\x1b[31m"\\\u2028é'
    strange = subprocess.Popen(
        [
            *("nsenter", f"--net=/proc/{server.pid}/ns/net"),
            *(sys.executable, "-c", LISTEN, odd.encode(), b"\xff\xfe\xc3("),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert strange.stdout is not None
        port = int(strange.stdout.readline())
        with Agent(tmp_path, *QUICK) as agent:
            event = agent.wait_for(
                lambda it: it["local_port"] == port and "listener" in it, "its listener"
            )[0]
            assert event["local_process"]["pid"] == strange.pid
            assert odd in event["local_process"]["cmdline"]
    finally:
        strange.communicate("")


LISTEN = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""
