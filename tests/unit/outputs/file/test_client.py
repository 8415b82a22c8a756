import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.errors import Permanent, Transient
from connbeat.model.batches import Event
from connbeat.outputs.file.client import FileOutput
from connbeat.outputs.file.rotation import Rotation
from tests.deliveries import batch, event, events, files_end_at, ids

LINE = len(event(0).body) + 1


@pytest.fixture
def output(tmp_path: Path) -> Iterator[FileOutput]:
    file = FileOutput(tmp_path, "connbeat")
    yield file
    file.close()


def lines(path: Path) -> list[bytes]:
    data = path.read_bytes()
    assert not data or data.endswith(b"\n"), "half a line"
    return data.split(b"\n")[:-1]


def all_lines(directory: Path) -> list[bytes]:
    """Of all files, the oldest first."""
    paths = sorted(directory.iterdir(), key=lambda path: int(f"0{path.suffix[1:]}"), reverse=True)
    return [line for path in paths for line in lines(path)]


def bodies(these: tuple[Event, ...]) -> list[bytes]:
    return [one.body for one in these]


def test_events_become_lines_in_their_order(output: FileOutput, tmp_path: Path) -> None:
    assert output.send(batch(*events(3))).delivered == events(3)
    assert lines(tmp_path / "connbeat") == bodies(events(3))


def test_a_missing_directory_is_made(tmp_path: Path) -> None:
    file = FileOutput(tmp_path / "a" / "b", "connbeat")
    file.open()
    file.close()
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("permissions", [0o600, 0o644, 0o666])
def test_the_mode_is_as_configured_whatever_the_umask(tmp_path: Path, permissions: int) -> None:
    file = FileOutput(tmp_path, "connbeat", permissions=permissions)
    umask = os.umask(0o077)
    try:
        file.open()
    finally:
        os.umask(umask)
        file.close()
    assert (tmp_path / "connbeat").stat().st_mode & 0o777 == permissions


def test_the_mode_of_a_file_that_is_there_stays(output: FileOutput, tmp_path: Path) -> None:
    (tmp_path / "connbeat").touch(0o640)
    output.open()
    assert (tmp_path / "connbeat").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["", "a/b", "..", "/x"])
def test_a_filename_with_a_directory_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="filename"):
        FileOutput(tmp_path, name)


def test_a_directory_that_is_a_file_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(Permanent, match=r"x/connbeat: Not a directory"):
        FileOutput(tmp_path / "x", "connbeat").open()


def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "connbeat")
    with pytest.raises(Permanent, match="connbeat"):
        FileOutput(tmp_path, "connbeat").open()


def test_a_device_is_neither_written_to_nor_renamed() -> None:
    with pytest.raises(Permanent, match="not a regular file"):
        FileOutput(Path("/dev"), "null").open()


# Rotation


def test_a_file_never_grows_beyond_its_limit(tmp_path: Path) -> None:
    file = FileOutput(tmp_path, "connbeat", rotation=Rotation(max_bytes=5 * LINE + 3))
    assert file.send(batch(*events(8))).delivered == events(8)
    file.close()
    assert lines(tmp_path / "connbeat.1") == bodies(events(5))
    assert lines(tmp_path / "connbeat") == bodies(events(3, first=5))


def test_the_oldest_file_goes(tmp_path: Path) -> None:
    rotation = Rotation(max_bytes=LINE, number_of_files=3)
    file = FileOutput(tmp_path, "connbeat", rotation=rotation)
    file.send(batch(*events(6)))
    file.close()
    assert all_lines(tmp_path) == bodies(events(3, first=3))
    assert len(list(tmp_path.iterdir())) == 3


def test_an_event_larger_than_a_file_gets_one_of_its_own(tmp_path: Path) -> None:
    file = FileOutput(tmp_path, "connbeat", rotation=Rotation(max_bytes=LINE))
    large = event(1, b'{"x":"%s"}' % (b"x" * 100))
    file.send(batch(event(0), large, event(2)))
    file.close()
    assert all_lines(tmp_path) == [event(0).body, large.body, event(2).body]
    assert lines(tmp_path / "connbeat.1") == [large.body]


def test_a_start_begins_a_new_file(tmp_path: Path) -> None:
    for number in range(2):
        file = FileOutput(tmp_path, "connbeat")
        file.open()
        file.send(batch(event(number)))
        file.send(batch(event(number + 10)))
        file.close()
    assert lines(tmp_path / "connbeat.1") == [event(0).body, event(10).body]
    assert lines(tmp_path / "connbeat") == [event(1).body, event(11).body]


def test_opening_alone_rotates_nothing(output: FileOutput, tmp_path: Path) -> None:
    (tmp_path / "connbeat").write_bytes(b"{}\n")
    output.open()
    assert [path.name for path in tmp_path.iterdir()] == ["connbeat"]


def test_a_start_may_go_on_in_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "connbeat").write_bytes(b"{}\n")
    file = FileOutput(tmp_path, "connbeat", rotation=Rotation(on_startup=False))
    file.send(batch(event(0)))
    file.close()
    assert lines(tmp_path / "connbeat") == [b"{}", event(0).body]


def test_half_a_line_of_a_killed_run_is_cut_off(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "connbeat").write_bytes(b'{}\n{"half":')
    file = FileOutput(tmp_path, "connbeat", rotation=Rotation(on_startup=False))
    file.send(batch(event(0)))
    file.close()
    assert lines(tmp_path / "connbeat") == [b"{}", event(0).body]
    assert [record.args for record in caplog.records] == [(tmp_path / "connbeat", 8)]


def test_a_file_that_is_not_ours_is_moved_away_whole(tmp_path: Path) -> None:
    (tmp_path / "connbeat").write_bytes(b"my only copy, without a line feed")
    file = FileOutput(tmp_path, "connbeat", rotation=Rotation(on_startup=False))
    file.send(batch(event(0)))
    file.close()
    assert (tmp_path / "connbeat.1").read_bytes() == b"my only copy, without a line feed"
    assert lines(tmp_path / "connbeat") == [event(0).body]


# Others who touch the file


def test_a_file_moved_away_is_let_go_at_the_reopen(output: FileOutput, tmp_path: Path) -> None:
    output.send(batch(event(0)))
    (tmp_path / "connbeat").rename(tmp_path / "moved")
    output.send(batch(event(1)))
    output.reopen()
    output.send(batch(event(2)))
    assert lines(tmp_path / "moved") == [event(0).body, event(1).body]
    assert lines(tmp_path / "connbeat") == [event(2).body]


def test_a_reopen_rotates_nothing(output: FileOutput, tmp_path: Path) -> None:
    output.send(batch(event(0)))
    output.reopen()
    output.send(batch(event(1)))
    assert [path.name for path in tmp_path.iterdir()] == ["connbeat"]
    assert lines(tmp_path / "connbeat") == [event(0).body, event(1).body]


def test_a_file_emptied_by_others_is_written_from_the_start(
    output: FileOutput, tmp_path: Path
) -> None:
    output.send(batch(*events(3)))
    os.truncate(tmp_path / "connbeat", 0)
    output.send(batch(event(3)))
    assert lines(tmp_path / "connbeat") == [event(3).body]


def test_a_file_deleted_by_others_is_made_again(output: FileOutput, tmp_path: Path) -> None:
    output.send(batch(event(0)))
    (tmp_path / "connbeat").unlink()
    output.send(batch(event(1)))
    assert lines(tmp_path / "connbeat") == [event(1).body]


def test_a_directory_deleted_by_others_is_made_again(tmp_path: Path) -> None:
    file = FileOutput(tmp_path / "d", "connbeat")
    file.send(batch(event(0)))
    (tmp_path / "d" / "connbeat").unlink()
    (tmp_path / "d").rmdir()
    file.send(batch(event(1)))
    file.close()
    assert lines(tmp_path / "d" / "connbeat") == [event(1).body]


def test_a_reopen_that_fails_is_made_up_for_by_the_next_send(tmp_path: Path) -> None:
    file = FileOutput(tmp_path / "d", "connbeat")
    file.send(batch(event(0)))
    (tmp_path / "d").rename(tmp_path / "e")
    (tmp_path / "d").write_text("in the way")
    with pytest.raises(Transient, match="Not a directory"):
        file.reopen()
    with pytest.raises(Transient, match="Not a directory"):
        file.send(batch(event(1)))
    (tmp_path / "d").unlink()
    file.send(batch(event(1)))
    file.close()
    assert lines(tmp_path / "d" / "connbeat") == [event(1).body]


# A disk that is full


def test_a_write_cut_short_leaves_whole_lines(output: FileOutput, tmp_path: Path) -> None:
    with files_end_at(2 * LINE + 3):
        outcome = output.send(batch(*events(5)))
        assert lines(tmp_path / "connbeat") == bodies(events(2))
        assert ids(outcome.delivered) == ["e0", "e1"]
        assert ids(outcome.retry) == ["e2", "e3", "e4"]
        with pytest.raises(Transient, match="File too large"):
            output.send(batch(*outcome.retry))
        assert lines(tmp_path / "connbeat") == bodies(events(2))
    output.send(batch(*outcome.retry))
    assert lines(tmp_path / "connbeat") == bodies(events(5))


@pytest.mark.parametrize("fitting", [127, 128, 129, 256, 300])
def test_a_disk_that_fills_up_in_a_large_batch_costs_and_doubles_no_line(
    output: FileOutput, tmp_path: Path, fitting: int
) -> None:
    """Of those that are written 128 lines at a time, in whichever of them it fills up."""
    many = tuple(event(number, b"%0300d" % number) for number in range(301))
    with files_end_at(fitting * 301 + 3):
        outcome = output.send(batch(*many))
        assert (outcome.delivered, outcome.retry) == (many[:fitting], many[fitting:])
        assert lines(tmp_path / "connbeat") == bodies(many[:fitting])
    output.send(batch(*outcome.retry))
    assert lines(tmp_path / "connbeat") == bodies(many)


def test_a_cut_that_fails_is_made_up_for_before_the_next_write(
    output: FileOutput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_fd: int, _size: int) -> None:
        raise OSError(5, "Input/output error")

    with files_end_at(LINE + 3), monkeypatch.context() as broken:
        broken.setattr(os, "ftruncate", refuse)
        outcome = output.send(batch(*events(2)))
        assert ids(outcome.delivered) == ["e0"]
        with pytest.raises(Transient, match="Input/output error"):
            output.send(batch(*outcome.retry))
    output.send(batch(*outcome.retry))
    assert lines(tmp_path / "connbeat") == bodies(events(2))


@given(
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=8),
    limits=st.lists(st.integers(0, 400), max_size=8),
    max_bytes=st.integers(1, 200),
    payload=st.binary(max_size=30),
)
def test_whatever_the_disk_does_every_event_stands_there_once(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    counts: list[int],
    limits: list[int],
    max_bytes: int,
    payload: bytes,
) -> None:
    directory = tmp_path_factory.mktemp("disk")
    rotation = Rotation(max_bytes=max_bytes, number_of_files=1024)
    file = FileOutput(directory, "connbeat", rotation=rotation)
    payload = payload.replace(b"\n", b"")
    put = [event(number, b"%d%s" % (number, payload)) for number in range(sum(counts))]
    waiting = list(put)
    for count, limit in zip(counts, limits, strict=False):
        sent = waiting[:count]
        with files_end_at(limit):
            try:
                outcome = file.send(batch(*sent))
            except Transient:
                continue
        assert [*outcome.delivered, *outcome.retry] == sent
        waiting = [*outcome.retry, *waiting[count:]]
        assert all_lines(directory) == [one.body for one in put[: len(put) - len(waiting)]]
    assert file.send(batch(*waiting)).delivered == tuple(waiting)
    file.close()
    assert all_lines(directory) == [one.body for one in put]
    for path in directory.iterdir():
        assert path.stat().st_size <= max_bytes or len(lines(path)) == 1


def test_checks_leave_nothing_behind(tmp_path: Path) -> None:
    (check,) = FileOutput(tmp_path / "a" / "b", "connbeat").checks()
    assert (check.target, check.error) == (f"{tmp_path}/a/b/connbeat", "")
    assert list(tmp_path.iterdir()) == []


def test_checks_touch_nothing_that_is_there(output: FileOutput, tmp_path: Path) -> None:
    output.send(batch(*events(2)))
    output.close()
    assert [check.error for check in FileOutput(tmp_path, "connbeat").checks()] == [""]
    assert all_lines(tmp_path) == bodies(events(2))


def test_checks_say_why_it_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (check,) = FileOutput(tmp_path / "file", "connbeat").checks()
    assert "Not a directory" in check.error
