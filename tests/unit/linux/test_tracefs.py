"""Formats of events, and instances in a tree of plain files (the real one: tests/system)."""

import errno
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.capture.formats import DESTROY, EXEC, EXIT, FORK, STATE
from connbeat.errors import CaptureError, Malformed, NotPermitted
from connbeat.linux import tracefs as module
from connbeat.linux.procfs import ProcFs
from connbeat.linux.tracefs import (
    EventFormat,
    Field,
    Tracefs,
    TraceInstance,
    compile_fields,
    open_tracefs,
    page_size,
    parse_format,
)
from tests.proc_tree import ProcTree
from tests.traces import FORMATS, RECORDINGS, Recording, format_text, record

STAT = "== {pid}/stat\n{pid} (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {ticks} 0 0 0\n"

# Formats


@pytest.fixture(params=RECORDINGS)
def recorded(request: pytest.FixtureRequest) -> Tracefs:
    name: str = request.param
    return Recording(name).tracefs


def test_a_recorded_format_tells_where_each_field_is(recorded: Tracefs) -> None:
    state = recorded.format(STATE)
    assert state.id > 0
    assert state.fields["common_pid"] == Field(4, 4, is_signed=True)
    assert state.fields["skaddr"] == Field(8, 8, is_signed=False)
    assert state.fields["newstate"] == Field(20, 4, is_signed=True)
    assert state.fields["saddr"] == Field(32, 4, is_signed=False)
    assert state.fields["daddr_v6"] == Field(56, 16, is_signed=False)


def test_every_event_that_is_read_has_its_fields(recorded: Tracefs) -> None:
    wanted = {
        STATE: ("common_flags", "common_pid", "skaddr", "oldstate", "newstate"),
        DESTROY: ("common_flags", "common_pid", "skaddr", "sock_cookie"),
        FORK: ("common_pid", "pid", "clone_flags"),
        EXEC: ("filename", "pid"),
        EXIT: ("comm", "pid"),
    }
    for event, names in wanted.items():
        compile_fields(recorded.format(event), names)


@pytest.mark.parametrize(
    ("declaration", "name"),
    [
        ("const void * skaddr", "skaddr"),
        ("__u8 saddr[4]", "saddr"),
        ("char comm[TASK_COMM_LEN]", "comm"),  # Linux 5.17 to 6.2
        ("__data_loc char[] filename", "filename"),
        ("unsigned long args[]", "args"),
        ("long long x", "x"),
    ],
)
def test_a_field_is_named_by_the_end_of_its_declaration(declaration: str, name: str) -> None:
    parsed = parse_format(format_text("any", 1, [(declaration, 8, 4, False)]))
    assert parsed.fields == {name: Field(8, 4, is_signed=False)}


@pytest.mark.parametrize(
    "text",
    ["", "ID: 7\n", "\tfield:int x;\toffset:8;\tsize:4;\tsigned:1;\n", "ID: seven\nfield:int x;"],
)
def test_a_format_without_an_id_or_a_field_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_format(text)


@given(st.text(max_size=200))
def test_any_text_is_a_format_or_our_error(text: str) -> None:
    try:
        parse_format("ID: 1\n" + text)
    except Malformed:
        return


def test_fields_are_unpacked_from_where_the_format_says() -> None:
    state = FORMATS["state"]
    names = ("common_flags", "common_pid", "skaddr", "oldstate", "newstate", "sport", "daddr")
    made = record(
        state,
        {"common_flags": 16, "common_pid": -1, "skaddr": 1 << 63, "oldstate": 1, "newstate": 7,
         "sport": 4711, "daddr": bytes([10, 0, 0, 1])},
    )  # fmt: skip
    unpacked = compile_fields(state, names).unpack_from(b"xx" + made, 2)
    assert unpacked == (16, -1, 1 << 63, 1, 7, 4711, bytes([10, 0, 0, 1]))


def test_a_field_that_is_missing_is_malformed() -> None:
    with pytest.raises(Malformed, match="no field sock_cookie"):
        compile_fields(FORMATS["state"], ("skaddr", "sock_cookie"))


def test_fields_in_another_order_are_malformed_rather_than_mixed_up() -> None:
    swapped = parse_format(
        format_text("any", 1, [("int newstate", 8, 4, True), ("int oldstate", 12, 4, True)])
    )
    with pytest.raises(Malformed, match="newstate"):
        compile_fields(swapped, ("oldstate", "newstate"))


def test_fields_that_overlap_are_malformed() -> None:
    event = EventFormat(1, {"a": Field(0, 8, is_signed=False), "b": Field(4, 4, is_signed=False)})
    with pytest.raises(Malformed):
        compile_fields(event, ("a", "b"))


def test_a_record_that_ends_too_early_cannot_be_unpacked() -> None:
    unpack = compile_fields(FORMATS["destroy"], ("skaddr", "sock_cookie")).unpack_from
    with pytest.raises(struct.error):
        unpack(bytes(47), 0)


# The file system


def test_an_event_that_the_kernel_does_not_have_is_our_error(recorded: Tracefs) -> None:
    with pytest.raises(CaptureError, match="event sock/none"):
        recorded.format("sock/none")


def test_the_size_of_a_page_is_its_header_and_its_data(recorded: Tracefs) -> None:
    assert page_size(recorded) == 4096


def header_page(folder: Path, data_offset: int, size: int) -> Tracefs:
    (folder / "events").mkdir()
    (folder / "events/header_page").write_text(
        f"\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
        f"\tfield: char data;\toffset:{data_offset};\tsize:{size};\tsigned:1;\n"
    )
    return Tracefs(folder)


def test_a_page_may_be_larger(tmp_path: Path) -> None:
    assert page_size(header_page(tmp_path, 16, 65520)) == 65536


def test_the_pages_of_a_32_bit_kernel_are_refused(tmp_path: Path) -> None:
    """Their header is four bytes shorter: every event would be read from the wrong place."""
    with pytest.raises(CaptureError, match="32-bit"):
        page_size(header_page(tmp_path, 12, 4084))


def test_a_header_without_data_is_malformed_and_none_at_all_our_error(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="header_page"):
        page_size(Tracefs(tmp_path))
    (tmp_path / "events").mkdir()
    (tmp_path / "events/header_page").write_text("nothing\n")
    with pytest.raises(Malformed):
        page_size(Tracefs(tmp_path))


def test_where_it_is_mounted_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "second/instances").mkdir(parents=True)
    monkeypatch.setattr(module, "MOUNT_POINTS", (tmp_path / "first", tmp_path / "second"))
    opened = open_tracefs()
    assert opened.root.samefile(tmp_path / "second")
    # It stays ours when somebody unmounts it, which for a path is as if it were renamed.
    (tmp_path / "second").rename(tmp_path / "elsewhere")
    assert opened.root.samefile(tmp_path / "elsewhere")
    opened.close()
    assert not opened.root.exists()


def test_where_no_descriptor_is_left_it_is_our_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "instances").mkdir()
    monkeypatch.setattr(module, "MOUNT_POINTS", (tmp_path,))

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(CaptureError, match="Too many open files"):
        open_tracefs()


def test_instances_of_agents_that_ended_are_removed_and_those_of_others_kept(
    tmp_path: Path,
) -> None:
    proc = ProcTree(tmp_path)
    proc.add(STAT.format(pid=100, ticks=5))
    proc.add(STAT.format(pid=200, ticks=6))
    root = tmp_path / "tracefs"
    names = (
        "connbeat-transitions-100-5",  # alive
        "connbeat-execs-100-5",
        "connbeat-transitions-200-5",  # its pid is another process' by now
        "connbeat-execs-300-5",  # ended
        "connbeat-transitions-400-",  # no name of ours
        "somebody-else",
    )
    for name in names:
        (root / "instances" / name).mkdir(parents=True)
    assert Tracefs(root).remove_stale(ProcFs(proc.root)) == 2
    left = {folder.name for folder in (root / "instances").iterdir()}
    assert left == set(names) - {"connbeat-transitions-200-5", "connbeat-execs-300-5"}


def test_an_instance_that_is_in_use_stays_and_costs_no_other(tmp_path: Path) -> None:
    """The kernel answers EBUSY; a folder with something in it does the same here."""
    root = tmp_path / "instances"
    (root / "connbeat-execs-300-5/trace").mkdir(parents=True)
    (root / "connbeat-execs-301-5").mkdir()
    (tmp_path / "proc").mkdir()
    assert Tracefs(tmp_path).remove_stale(ProcFs(tmp_path / "proc")) == 1
    assert [folder.name for folder in root.iterdir()] == ["connbeat-execs-300-5"]


def test_without_instances_there_is_nothing_to_remove(tmp_path: Path) -> None:
    assert Tracefs(tmp_path).remove_stale(ProcFs(tmp_path)) == 0


# An instance


class House:
    """A `/proc` in which we are, and a tracefs in which our instance is made of plain files."""

    def __init__(self, folder: Path, processors: int = 2) -> None:
        self.proc = ProcTree(folder)
        self.proc.add(STAT.format(pid=os.getpid(), ticks=77))
        self.tracefs = Tracefs(folder / "tracefs")
        self.folder = self.tracefs.root / "instances" / f"connbeat-test-{os.getpid()}-77"
        (self.folder / "events/sock/one").mkdir(parents=True)
        for number in range(processors):
            (self.folder / f"per_cpu/cpu{number}").mkdir(parents=True)
            (self.folder / f"per_cpu/cpu{number}/trace_pipe_raw").touch()

    def instance(self) -> TraceInstance:
        return TraceInstance(self.tracefs, "test", ProcFs(self.proc.root), 512)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_an_instance_that_a_signal_interrupts_in_the_making_is_switched_off(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = TraceInstance._write

    def interrupted(self: TraceInstance, name: str, value: str) -> None:
        if name == "buffer_size_kb":
            raise KeyboardInterrupt
        write(self, name, value)

    monkeypatch.setattr(TraceInstance, "_write", interrupted)
    (house.folder / "tracing_on").write_text("1")
    with pytest.raises(KeyboardInterrupt):
        house.instance()
    assert house.read("tracing_on") == "0"


def test_an_instance_records_in_the_clock_that_everything_else_is_told_in(house: House) -> None:
    instance = house.instance()
    instance.enable("sock/one", "protocol==6")
    instance.set_option("buffer_percent", "0")
    instance.start()
    assert house.read("trace_clock") == "mono"
    assert house.read("buffer_size_kb") == "512"
    assert house.read("events/sock/one/filter") == "protocol==6"
    assert house.read("events/sock/one/enable") == "1"
    assert house.read("buffer_percent") == "0"
    assert house.read("tracing_on") == "1"
    instance.close()


def test_pages_are_read_of_every_processor_and_no_more_than_allowed(house: House) -> None:
    (house.folder / "per_cpu/cpu0/trace_pipe_raw").write_bytes(b"aaaabbbbcccc")
    (house.folder / "per_cpu/cpu1/trace_pipe_raw").write_bytes(b"dddd")
    instance = house.instance()
    instance.start()
    assert instance.read_pages(4, limit=2) == [b"aaaa", b"bbbb", b"dddd"]
    assert instance.read_pages(4, limit=2) == [b"cccc"]
    assert instance.read_pages(4, limit=2) == []
    instance.close()


def test_an_instance_that_was_switched_off_or_removed_records_no_more(house: House) -> None:
    instance = house.instance()
    instance.start()
    assert instance.is_recording()
    (house.folder / "tracing_on").write_text("0\n")
    assert not instance.is_recording()
    (house.folder / "tracing_on").unlink()
    assert not instance.is_recording()
    instance.close()


def test_close_switches_all_off_and_lets_go_and_may_come_twice(house: House) -> None:
    instance = house.instance()
    instance.enable("sock/one")
    instance.start()
    pipes = list(instance.pipes)
    instance.close()
    instance.close()
    assert house.read("events/sock/one/enable") == "0"
    assert house.read("tracing_on") == "0"
    for pipe in pipes:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(pipe)


def test_an_instance_that_cannot_be_made_says_what_is_missing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(number: int) -> None:
        def mkdir(path: Path, **_: object) -> None:
            raise OSError(number, os.strerror(number), str(path))

        monkeypatch.setattr(Path, "mkdir", mkdir)

    refuse(errno.EACCES)
    with pytest.raises(NotPermitted, match="CAP_SYS_ADMIN"):
        house.instance()
    refuse(errno.EROFS)
    with pytest.raises(CaptureError, match="Read-only"):
        house.instance()


def test_an_event_that_cannot_be_enabled_is_our_error(house: House) -> None:
    instance = house.instance()
    with pytest.raises(CaptureError, match="event sock/two"):
        instance.enable("sock/two")
    with pytest.raises(CaptureError, match="no/option"):
        instance.set_option("no/option", "1")
    instance.close()


def test_an_instance_without_processors_cannot_start(tmp_path: Path) -> None:
    with pytest.raises(CaptureError):
        House(tmp_path, processors=0).instance().start()


def test_pages_that_cannot_be_read_are_our_error(house: House) -> None:
    instance = house.instance()
    instance.start()
    os.close(instance.pipes[1])
    with pytest.raises(CaptureError, match="trace pages not read"):
        instance.read_pages(4096, limit=1)
    instance.pipes.pop()
    instance.close()
