"""The program that reads processes at their exec, on a `/proc` and a trace of plain files.

The kernel's own waking: tests/system.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connbeat.capture import exec_program as module
from connbeat.capture.exec_program import BUDGET_PER_SECOND, ExecProgram, read_files
from connbeat.capture.exec_record import CAUSES, NAMES, Files, unpack_record
from connbeat.capture.formats import EXEC
from connbeat.linux.limits import STRINGS_BYTES
from connbeat.linux.tracefs import compile_fields
from tests.traces import page, record, short_event
from tests.unit.capture.trace_tree import TraceTree

SECOND = 1_000_000_000

PROCESS = """
== {pid}/cmdline
wget\\0-q\\0http://web/{pid}\\0
== {pid}/exe -> /bin/wget
== {pid}/cgroup
0::/docker/abc
== {pid}/ns/net = web
== {pid}/status
Name:\\twget\\nUid:\\t0\\t0\\t0\\t0\\n
== {pid}/stat
{pid} (wget) S 1
== {pid}/environ
A=b\\0
"""


class House(TraceTree):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "execs", processors=1)
        self.agent, self.channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.agent.setblocking(False)
        self.channel.setblocking(False)
        self.pipe = os.open(self._pipe(0), os.O_RDONLY | os.O_CLOEXEC)

    def program(self, names: tuple[str, ...] = NAMES) -> ExecProgram:
        event = self.tracefs.format(EXEC)
        return ExecProgram(
            self.channel.fileno(),
            page_bytes=4096,
            kind=event.id,
            layout=compile_fields(event, ("pid",)).format,
            root=str(self.proc.root),
            names=names,
        )

    def live(self, *pids: int) -> None:
        for pid in pids:
            self.proc.add(PROCESS.format(pid=pid))

    def execs(self, *pids: int, at_ns: int = SECOND, missed: int | None = None) -> None:
        made = [
            short_event(record(self.tracefs.format(EXEC), {"pid": pid, "common_pid": 1}), 1)
            for pid in pids
        ]
        self.write(0, page(at_ns, *made, missed=missed))

    def told(self) -> list[tuple[int, int, list[int], Files]]:
        found: list[tuple[int, int, list[int], Files]] = []
        while True:
            try:
                message = self.agent.recv(1 << 20)
            except BlockingIOError:
                return found
            if not message:
                return found
            found.append(unpack_record(message))

    def losses(self) -> dict[str, int]:
        """As the last message has them."""
        return dict(zip(CAUSES, self.told()[-1][2], strict=True))

    def close(self) -> None:
        os.close(self.pipe)
        self.agent.close()
        self.channel.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def test_every_process_is_told_with_the_time_of_its_exec_and_its_files(house: House) -> None:
    house.live(101, 102)
    house.execs(101, 102, at_ns=1000)
    assert house.program().read(house.pipe)
    first, second = house.told()
    assert first == (
        101,
        1001,
        [0, 0, 0],
        {
            "cmdline": b"wget\0-q\0http://web/101\0",
            "exe": b"/bin/wget",
            "cgroup": b"0::/docker/abc",
            "ns/net": b"%d" % house.proc.netns("web"),
            "status": b"Name:\twget\nUid:\t0\t0\t0\t0\n",
            "stat": b"101 (wget) S 1",
            "environ": b"A=b\0",
        },
    )
    assert second[:2] == (102, 1002)


def test_what_is_not_wanted_is_not_read(house: House) -> None:
    house.live(101)
    house.execs(101)
    house.program(NAMES[:-1]).read(house.pipe)
    assert house.told()[0][3]["environ"] == b""


def test_who_ended_before_it_could_be_read_is_not_told(house: House) -> None:
    house.live(102)
    house.proc.remove("102/cmdline")
    house.execs(101, 102, 103)
    house.live(103)
    house.program().read(house.pipe)
    assert [pid for pid, *_ in house.told()] == [103]


def test_a_file_that_cannot_be_read_is_told_with_its_reason(house: House) -> None:
    house.live(101)
    house.proc.remove("101/exe")
    files = read_files(str(house.proc.root / "101"), NAMES)
    assert files is not None
    assert files["exe"] == 2
    assert files["cmdline"] == b"wget\0-q\0http://web/101\0"


def test_a_command_line_without_end_is_cut(house: House) -> None:
    house.live(101)
    (house.proc.root / "101/cmdline").write_bytes(b"x" * (STRINGS_BYTES + 1))
    files = read_files(str(house.proc.root / "101"), NAMES)
    assert files is not None
    assert files["cmdline"] == b"x" * STRINGS_BYTES


def test_it_does_not_read_itself(house: House) -> None:
    house.live(os.getpid(), 101)
    house.execs(os.getpid(), 101)
    house.program().read(house.pipe)
    assert [pid for pid, *_ in house.told()] == [101]


def test_a_page_that_makes_no_sense_costs_itself_alone(house: House) -> None:
    house.live(101)
    house.write(0, b"\xff" * 4096)
    house.write(0, page(1000, short_event(bytes(4))))
    house.execs(101)
    assert house.program().read(house.pipe)
    assert [pid for pid, *_ in house.told()] == [101]


def test_a_record_too_short_at_the_end_of_its_page_costs_itself_alone(house: House) -> None:
    house.live(101)
    number = house.tracefs.format(EXEC).id
    filler = short_event(bytes(4)) * ((4096 - 16) // 8 - 1)
    house.write(0, page(1000, filler, short_event(number.to_bytes(4, "little"))))
    house.execs(101)
    assert house.program().read(house.pipe)
    assert [pid for pid, *_ in house.told()] == [101]


def test_where_nothing_is_to_be_read_it_says_so(house: House) -> None:
    program = house.program()
    assert not program.read(house.pipe)
    house.execs(101)
    assert program.read(house.pipe)
    assert not program.read(house.pipe)


# What is not read


def storm(house: House, count: int, at_ns: int = SECOND) -> None:
    for _ in range(count // 80):
        house.execs(*[101] * 80, at_ns=at_ns)


def read_all(program: ExecProgram, house: House) -> None:
    while program.read(house.pipe):
        pass


def test_a_storm_of_execs_is_read_within_the_budget_of_each_second(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUDGET_PER_SECOND", 100)
    assert BUDGET_PER_SECOND > 100
    house.live(101)
    storm(house, 240)
    program = house.program()
    read_all(program, house)
    assert len(house.told()) == 100
    house.execs(101, at_ns=2 * SECOND)
    program.read(house.pipe)
    assert house.losses() == {"overrun": 0, "budget": 140, "untaken": 0}


def test_long_command_lines_are_read_within_their_budget(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BYTES_PER_SECOND", 10_000)
    house.live(101)
    (house.proc.root / "101/cmdline").write_bytes(b"x" * 3000)
    house.execs(*[101] * 10)
    program = house.program()
    program.read(house.pipe)
    assert len(house.told()) == 4
    house.execs(101, at_ns=2 * SECOND)
    program.read(house.pipe)
    assert house.losses()["budget"] == 6


def test_what_the_kernel_had_no_room_for_is_counted(house: House) -> None:
    house.live(101)
    house.execs(101, missed=7)
    house.program().read(house.pipe)
    assert house.losses()["overrun"] == 7


def test_what_the_agent_does_not_take_is_counted_and_does_not_hold_up_the_reader(
    house: House,
) -> None:
    house.live(101)
    (house.proc.root / "101/cmdline").write_bytes(b"x" * 50_000)
    house.execs(*[101] * 70)
    program = house.program()
    program.read(house.pipe)
    taken = len(house.told())
    assert 0 < taken < 70
    house.execs(101)
    program.read(house.pipe)
    assert house.losses()["untaken"] == 70 - taken


def test_a_message_too_long_for_the_channel_costs_itself_alone(house: House) -> None:
    house.channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10_000)
    house.live(101, 102)
    (house.proc.root / "101/cmdline").write_bytes(b"x" * STRINGS_BYTES)
    house.execs(101, 102)
    house.program().read(house.pipe)
    assert [(pid, losses) for pid, _, losses, _ in house.told()] == [(102, [0, 0, 1])]


def test_losses_are_told_also_if_nothing_else_is_to_be_told(house: House) -> None:
    program = house.program()
    assert program._patience() is None
    house.execs(101, missed=3)  # and that process has ended
    program.read(house.pipe)
    assert house.told() == []
    assert program._patience() is not None
    program._tell_losses()
    assert house.told() == [(0, 0, [3, 0, 0], dict.fromkeys(NAMES, b""))]
    assert program._patience() is None


# Its end, and what it is


def test_it_ends_when_nobody_listens_any_more(house: House) -> None:
    house.agent.close()
    house.program().follow([])
    house.live(101)
    house.execs(101)
    with pytest.raises(BrokenPipeError):
        house.program().read(house.pipe)


LOADED = """
import sys
sys.path.append(sys.argv[1])
import connbeat.capture.exec_program
print(*sys.modules)
"""


def test_it_loads_what_it_needs_and_no_more() -> None:
    """Memory: it runs beside every agent."""
    root = str(Path(__file__).parents[3])
    words = [sys.executable, "-I", "-S", "-c", LOADED, root]
    result = subprocess.run(words, capture_output=True, text=True, check=True)
    loaded = result.stdout.split()
    ours = {name for name in loaded if name.startswith("connbeat")}
    assert ours == {
        "connbeat", "connbeat.capture", "connbeat.capture.exec_program",
        "connbeat.capture.exec_record", "connbeat.errors", "connbeat.linux",
        "connbeat.linux.limits", "connbeat.linux.ring_buffer",
    }  # fmt: skip
    heavy = {"msgspec", "re", "contextlib", "enum", "typing", "pathlib", "signal", "subprocess"}
    assert heavy.isdisjoint(loaded)
