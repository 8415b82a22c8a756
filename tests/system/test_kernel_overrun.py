"""The buffer of the closes, overrun: what comes after has to be heard again."""

import json
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

from connbeat.capture.hearing import Hearing
from connbeat.discovery.namespaces import NamespaceReader
from connbeat.linux.procfs import ProcFs
from connbeat.telemetry.metrics import Metric, Metrics
from tests.system.harness import Netns, wait_until

PROGRAM = Path(__file__).with_name("connect_program.py")
#: Connections of either flood; together they have more closes than the buffer holds.
FLOOD = 16_000
#: As /proc/net/netlink writes it.
NETLINK_SOCK_DIAG = "4"
#: Where inet_diag_msg has the cookie, after the netlink header (linux/inet_diag.h).
COOKIE, COOKIE_AT = struct.Struct("=Q"), 60


def go(program: "subprocess.Popen[str]") -> list[int]:
    """The cookies of the sockets it made, all of them closed."""
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write("go\n")
    program.stdin.flush()
    return [row["cookie"] for row in json.loads(program.stdout.readline())["sockets"]]


def drops(pid: int) -> int:
    """Messages that the kernel dropped for the sockets of sock_diag in this process's namespace.

    It sends closes from a queue of its own, so they come later than the closes.
    """
    rows = [line.split() for line in Path(f"/proc/{pid}/net/netlink").read_text().splitlines()[1:]]
    return sum(int(row[8]) for row in rows if row[1] == NETLINK_SOCK_DIAG)


def test_once_a_turn_was_taken_after_an_overrun_every_close_is_heard_again(netns: Netns) -> None:
    """The kernel drops all that comes until it finds the socket empty, and tells of it once."""
    metrics = Metrics()
    hearing = Hearing(ProcFs(), metrics)
    hearing.open()
    *floods, after = (
        netns.start(sys.executable, str(PROGRAM), str(count)) for count in (FLOOD, FLOOD, 50)
    )
    hearing.see(NamespaceReader(ProcFs()).read().targets)
    for flood in floods:
        go(flood)
    wait_until(lambda: drops(after.pid) > 0, 30, "more closes than the buffer holds")
    heard, is_lossy = hearing.hear()
    assert is_lossy
    assert metrics.get(Metric.CLOSES_OVERRUN) == 1
    assert 0 < len(heard) < 4 * FLOOD
    made = go(after)
    told: Counter[int] = Counter()

    def is_told() -> bool:
        heard, is_lossy = hearing.hear()
        assert not is_lossy
        told.update(COOKIE.unpack_from(data, COOKIE_AT)[0] for _, data, _ in heard)
        return all(told[cookie] for cookie in made)

    wait_until(is_told, 10, "every close after the overrun")
    assert [told[cookie] for cookie in made] == [1] * 100
    hearing.close()
    for program in (*floods, after):
        program.communicate("\n")
