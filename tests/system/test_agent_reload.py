"""The original's three examples start and behave, and SIGHUP changes what can be changed."""

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.harness import QUICK, Agent, Document, wait_until
from tests.system.peers import Peer, Peers, Sock, linked
from tests.unit.config.goldens import DATA

#: Nothing leaves the machine, nobody is waited for at the end, and events come to stdout.
HERE = (
    *QUICK,
    "output.console.enabled=true",
    "queue.mem.flush.timeout=50ms",
    "shutdown_timeout=500ms",
    "path.data=data",
)
NOBODY = "127.0.0.1:1"
ELSEWHERE: dict[str, tuple[str, ...]] = {
    "host": (f"output.elasticsearch.hosts={NOBODY}",),
    "docker": (f"output.http.hosts={NOBODY}",),
    "full": (
        f"output.elasticsearch.hosts={NOBODY}", "output.elasticsearch.proxy_url=",
        f"output.http.hosts={NOBODY}", f"output.kafka.hosts={NOBODY}",
        f"output.logstash.hosts={NOBODY}", f"output.redis.hosts={NOBODY}", "output.file.path=out",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def server(peers: Peers) -> Peer:
    return peers.inside(peers.netns("reload"))


@pytest.fixture(scope="module")
def ends(server: Peer) -> tuple[Sock, Sock]:
    return linked(server, server)


def agent_of(folder: Path, example: str) -> Agent:
    config = folder / "connbeat.yml"
    shutil.copy(DATA / "examples" / f"{example}.yml", config)
    config.chmod(0o600)
    return Agent(folder, *HERE, *ELSEWHERE[example])


@pytest.mark.parametrize("example", ["host", "full"])
def test_the_examples_for_a_host_tell_its_connections(
    example: str, tmp_path: Path, ends: tuple[Sock, Sock]
) -> None:
    def is_wanted(event: Document) -> bool:  # by its ports, for one example has no cookies
        ports = event["local_port"], event.get("remote_port")
        return ports == (ends[0].local_port, ends[0].remote_port)

    with agent_of(tmp_path, example) as agent:
        (event,) = agent.wait_for(is_wanted, "the connection")[:1]
        assert agent.stop() == 0
    if example == "host":
        assert event["local_process"]["cmdline"] == ""
        assert event["local_process"]["environ"] != [""]
    else:
        assert event["tags"] == ["service-X", "web-tier"]
        assert event["fields"] == {"env": "staging", "level": 3}
        assert event["beat"]["name"] == "shipper-1"
        assert (tmp_path / "out" / "connbeat").stat().st_size > 0


def test_the_example_for_docker_tells_of_containers_alone(
    tmp_path: Path, ends: tuple[Sock, Sock]
) -> None:
    with agent_of(tmp_path, "docker") as agent:
        agent.wait_ready()
        assert agent.stop() == 0
    assert agent.found(ends[0].is_in) == []
    assert [event for event in agent.events() if "container" not in event] == []


# SIGHUP

Write = Callable[[str], None]


class Reloaded:
    """A running agent and its configuration."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "connbeat.yml"
        self.write("tags: [first]")
        self.agent = Agent(folder, *QUICK)
        self.reloads = 0

    def write(self, text: str) -> None:
        base = "connbeat.aggregation: 400ms\noutput.file.path: ${path.home}/first\n"
        base += "output.console.enabled: true\n"
        if "output.file.path" in text:
            base = base.replace("output.file.path: ${path.home}/first\n", "")
        self._path.write_text(f"{base}{text}\n")
        self._path.chmod(0o600)

    def reload(self, text: str) -> str:
        """Write it, signal, and give the log since."""
        before = len(self.agent.log())
        self.write(text)
        self.agent.process.send_signal(signal.SIGHUP)
        ends = ("The configuration was read again.", "The new configuration is refused")
        wait_until(lambda: any(e in self.agent.log()[before:] for e in ends), 15, "a reload")
        return self.agent.log()[before:]

    def wait_for_tag(self, tag: str) -> Document:
        def has_tag(event: Document) -> bool:
            return event.get("tags") == [tag]

        return self.agent.wait_for(has_tag, f"tag {tag}", since=len(self.agent.events()))[0]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Reloaded]:
    made = Reloaded(tmp_path)
    with made.agent:
        made.agent.wait_ready()
        yield made


@pytest.mark.usefixtures("ends")
def test_sighup_changes_what_it_can_without_losing_an_event_and_names_the_rest(
    running: Reloaded, tmp_path: Path
) -> None:
    running.wait_for_tag("first")
    log = running.reload("tags: [second]\nlogging.metrics.period: 1s\nconnbeat.capture: dump")
    assert "A changed setting needs a restart. setting=connbeat.capture" in log
    assert "changed=tags,logging.metrics.period" in log
    running.wait_for_tag("second")
    wait_until(lambda: "Non-zero metrics" in running.agent.log(), 15, "the line that is due now")

    log = running.reload("tags: [third]\nconnbeat.agregation: 1s\nname: [x]")
    assert log.count("A fault in the new configuration.") == 2
    assert "did you mean connbeat.aggregation?" in log
    assert "The new configuration is refused, the old one stays. faults=2" in log
    running.wait_for_tag("second")

    running.reload("tags: [fourth]\noutput.file.path: ${path.home}/second")
    running.wait_for_tag("fourth")
    second = tmp_path / "second" / "connbeat"
    wait_until(lambda: second.exists() and second.stat().st_size > 0, 15, "events at the new place")
    assert running.agent.stop() == 0
    counts = [line for line in running.agent.log().splitlines() if "Output closed." in line]
    assert len(counts) == 2
    assert all(line.endswith("dropped=0") for line in counts)
    written = [
        line for name in ("first", "second") for path in sorted((tmp_path / name).iterdir())
        for line in path.read_bytes().splitlines()
    ]  # fmt: skip
    assert len(written) == len(running.agent.events())


@pytest.mark.usefixtures("ends")
def test_an_output_that_cannot_take_its_new_settings_goes_on_with_the_old_ones(
    running: Reloaded, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    running.reload("tags: [second]\noutput.file.path: ${path.home}/file")
    wait_until(
        lambda: (
            "The new settings cannot work, the old ones stay. output=file" in running.agent.log()
        ),
        15,
        "a word about it",
    )
    first = tmp_path / "first" / "connbeat"
    size = first.stat().st_size
    wait_until(lambda: first.stat().st_size > size, 15, "more events at the old place")
    (tmp_path / "file").unlink()
    running.reload("tags: [second]\noutput.file.path: ${path.home}/file")
    wait_until((tmp_path / "file" / "connbeat").exists, 15, "the next signal to do it")
    assert running.agent.stop() == 0
