import logging
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from connbeat.telemetry.log_handlers import LogFile, Syslog
from connbeat.telemetry.log_targets import Fallback, LogFiles

DAY = 24 * 3600.0
NOON = 1795435200.0 - 1795435200.0 % DAY + DAY / 2


class Kept(logging.Handler):
    """stderr, as a list."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def record(message: str, at: float = NOON) -> logging.LogRecord:
    made = logging.LogRecord("connbeat.test", logging.INFO, __file__, 1, message, (), None)
    made.created = at
    return made


def log_file(directory: Path, stderr: Kept | None = None, **options: object) -> LogFile:
    files = LogFiles(directory=str(directory), **options)  # type: ignore[arg-type]  # a test's
    return LogFile(files, Fallback(stderr or Kept(), has_all=False))


def syslog(address: str, stderr: Kept | None = None) -> Syslog:
    return Syslog(Fallback(stderr or Kept(), has_all=False), address)


def written(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(directory.iterdir())}


@pytest.mark.parametrize("make", [lambda: log_file(Path("/x")), lambda: syslog("/x")])
def test_nothing_waits_for_a_thread_that_hangs_in_a_target(
    make: Callable[[], logging.Handler],
) -> None:
    target = make()
    target.acquire()
    thread = threading.Thread(target=logging.shutdown, args=([lambda: target],))
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    target.release()


def test_a_file_is_made_with_its_directory_when_the_first_line_comes(tmp_path: Path) -> None:
    target = log_file(tmp_path / "a" / "b", permissions=0o640)
    assert not (tmp_path / "a").exists()
    target.handle(record("one"))
    target.close()
    path = tmp_path / "a" / "b" / "connbeat"
    assert path.read_text() == "one\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.parent.stat().st_mode & 0o777 == 0o750


def test_a_full_file_is_followed_by_another_and_the_oldest_goes(tmp_path: Path) -> None:
    target = log_file(tmp_path, rotate_every_bytes=8, keep_files=3)
    for number in range(6):
        target.handle(record(f"line {number}"))
    target.close()
    assert written(tmp_path) == {
        "connbeat": "line 5\n",
        "connbeat.1": "line 4\n",
        "connbeat.2": "line 3\n",
    }


@pytest.mark.parametrize(
    ("rotates", "expected"),
    [
        (True, {"connbeat": "new\n", "connbeat.1": "old\n"}),
        (False, {"connbeat": "old\nnew\n"}),
    ],
)
def test_a_start_begins_a_new_file_where_that_is_wanted(
    tmp_path: Path, rotates: bool, expected: dict[str, str]
) -> None:
    for line in ("old", "new"):
        target = log_file(tmp_path, rotate_on_startup=rotates)
        target.handle(record(line))
        target.close()
    assert written(tmp_path) == expected


def test_a_day_begins_at_midnight(tmp_path: Path) -> None:
    target = log_file(tmp_path, interval_seconds=DAY)
    midnight = NOON + DAY / 2
    for line, at in (("a", NOON), ("b", midnight - 1), ("c", midnight), ("d", midnight + 60)):
        target.handle(record(line, at))
    target.close()
    assert written(tmp_path)["connbeat"] == "c\nd\n"
    assert written(tmp_path)["connbeat.1"].endswith("b\n")


def test_the_day_of_a_file_that_was_there_is_that_of_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "connbeat"
    path.write_text("old\n")
    os.utime(path, (NOON, NOON))
    target = log_file(tmp_path, interval_seconds=DAY, rotate_on_startup=False)
    target.handle(record("same day", NOON + 1))
    assert written(tmp_path) == {"connbeat": "old\nsame day\n"}
    target.close()


@pytest.mark.parametrize("moved", [True, False])
def test_a_file_that_was_moved_or_removed_is_begun_anew(tmp_path: Path, moved: bool) -> None:
    target = log_file(tmp_path)
    target.handle(record("one"))
    path = tmp_path / "connbeat"
    path.rename(tmp_path / "moved") if moved else path.unlink()
    target.handle(record("two"))
    target.close()
    assert path.read_text() == "two\n"


def test_what_a_file_does_not_take_goes_to_stderr_and_the_reason_now_and_then(
    tmp_path: Path,
) -> None:
    stderr = Kept()
    (tmp_path / "file").touch()
    target = log_file(tmp_path / "file" / "x", stderr)
    for seconds in (0, 1, 31):
        target.handle(record(f"line {seconds}", NOON + seconds))
    target.close()
    assert [line.partition(".")[0] for line in stderr.lines] == [
        "The log cannot be written there; its lines go to stderr",
        "line 0",
        "line 1",
        "The log cannot be written there; its lines go to stderr",
        "line 31",
    ]
    assert "Not a directory" in stderr.lines[0]


def test_a_disk_that_is_full_is_tried_again_with_the_next_line(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    stderr = Kept()
    path = tmp_path / "connbeat"
    path.symlink_to(full)
    target = log_file(tmp_path, stderr, rotate_on_startup=False)
    target.handle(record("lost to the file"))
    assert "No space left on device" in stderr.lines[0]
    assert stderr.lines[1] == "lost to the file"
    path.unlink()
    target.handle(record("two"))
    target.close()
    assert path.read_text() == "two\n"


def test_syslog_gets_a_datagram_with_priority_and_name(tmp_path: Path) -> None:
    address = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(address)
        target = syslog(address)
        target.handle(record("one"))
        assert server.recv(1000) == f"<30>connbeat[{os.getpid()}]: one\0".encode()
        target.close()


def test_without_syslog_lines_go_to_stderr(tmp_path: Path) -> None:
    stderr = Kept()
    target = syslog(str(tmp_path / "log"), stderr)
    target.handle(record("one"))
    target.close()
    assert stderr.lines[1:] == ["one"]
