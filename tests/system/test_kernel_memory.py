"""Memory while very many connections end in one moment: all are told, and the agent stays small."""

import time
from collections import Counter
from pathlib import Path

import msgspec

from tests.system.bursts import POLL_SECONDS, KernelAgent, Load
from tests.system.harness import Document, Netns, call, wait_until

COUNT, PROCESSES = 20_000, 4
#: More than the agent had while they were open: 8 to 25 were measured, and 27 where all that one
#: turn reads is unpacked at once: this catches growth without a bound, not the loss of that.
MOST_MB = 40


def memory_mb(agent: KernelAgent, field: str) -> float:
    text = Path(f"/proc/{agent.process.pid}/status").read_text()
    return int(text.partition(f"{field}:")[2].split(maxsplit=1)[0]) / 1024


def forget_peak(agent: KernelAgent) -> None:
    """From here on VmHWM is what is resident at most from here on (proc_pid_clear_refs(5))."""
    Path(f"/proc/{agent.process.pid}/clear_refs").write_text("5")


def opens_of(netns: Netns) -> int:
    """Connects and accepts, as the kernel counts them there."""
    lines = call("ip", "netns", "exec", netns.name, "cat", "/proc/net/snmp").splitlines()
    names, values = (line.split() for line in lines if line.startswith("Tcp:"))
    told = dict(zip(names, values, strict=True))
    return int(told["ActiveOpens"]) + int(told["PassiveOpens"])


class Told:
    """What a file output has of the connections of one namespace, by the kind of event."""

    def __init__(self, folder: Path, netns: int) -> None:
        self._file = folder / "events"
        self._netns = netns
        self._read_bytes = 0
        self._events: dict[str, list[Document]] = {"opened": [], "ongoing": [], "closed": []}

    def of(self, kind: str) -> list[Document]:
        with self._file.open("rb") as lines:
            lines.seek(self._read_bytes)
            text, feed, _ = lines.read().rpartition(b"\n")
        self._read_bytes += len(text + feed)
        for line in text.splitlines():
            event = msgspec.json.decode(line)
            about = event.get("connection", {})
            if about.get("netns") == self._netns:
                self._events[about["event"]].append(event)
        return self._events[kind]


def test_twenty_thousand_connections_that_end_in_one_moment_are_all_told_in_bounded_memory(
    tmp_path: Path, netns: Netns
) -> None:
    options = (
        f"output.file.path={tmp_path}",
        "output.file.filename=events",
        "output.file.rotate_every_kb=1000000",
        "output.console.enabled=false",
        "connbeat.enable_docker=false",
    )
    told = Told(tmp_path, netns.inode)
    before = ("ip", "netns", "exec", netns.name)
    with KernelAgent(tmp_path, *options) as agent:
        agent.wait_ready()
        with Load("hold", before=before, count=COUNT, processes=PROCESSES) as load:
            wait_until(lambda: len(told.of("opened")) == 2 * COUNT, 30, "every end's opening")
            time.sleep(2 * POLL_SECONDS)
            forget_peak(agent)
            opened = memory_mb(agent, "VmRSS")
            load.go()
            wait_until(lambda: len(told.of("closed")) >= 2 * COUNT, 30, "every end's close")
            agent.await_polls(2)
        peak = memory_mb(agent, "VmHWM")
        assert peak - opened < MOST_MB, f"{opened:.1f} {peak:.1f}"

    ends = Counter(it["connection"]["id"] for it in told.of("closed"))
    assert len(ends) == opens_of(netns) == 2 * COUNT
    assert set(ends.values()) == {1}
    pids = Counter(it["local_process"]["pid"] for it in told.of("closed"))
    assert pids == dict.fromkeys(load.ready["pids"], 2 * COUNT // PROCESSES)
    ports = {*load.ready["ports"]}
    for event in told.of("closed"):
        is_client = event["remote_port"] in ports
        assert event["connection"]["direction"] == ("outbound" if is_client else "inbound")
        assert event["connection"]["duration_ms"] > 0
