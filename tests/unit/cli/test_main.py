import errno
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from connbeat.cli import main as front
from connbeat.cli.commands import COMMANDS
from connbeat.cli.options import Options
from connbeat.errors import CaptureError, ConfigError

#: What no quick command may load, least of all anything that only Linux has.
HEAVY = (
    "yaml",
    "msgspec",
    "docker",
    "psutil",
    "connbeat.agent",
    "connbeat.linux",
    "connbeat.capture",
)


def run_with(monkeypatch: pytest.MonkeyPatch, outcome: int | BaseException) -> tuple[int, Options]:
    """The exit code when the command ends so, and what it was given."""
    given: list[Options] = []

    def run(options: Options) -> int:
        given.append(options)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    monkeypatch.setitem(sys.modules, "connbeat.cli.fake", SimpleNamespace(run=run))
    monkeypatch.setitem(front._MODULES, "run", "connbeat.cli.fake")
    return front.main(["-e"]), given[0]


def test_the_command_gets_the_options_and_gives_the_exit_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run_with(monkeypatch, 0) == (0, Options(log_to_stderr=True))
    assert run_with(monkeypatch, 1)[0] == 1


def test_a_configuration_error_is_exit_2_and_a_line_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(monkeypatch, ConfigError(("one", "two")))[0] == 2
    assert capsys.readouterr() == ("", "one\ntwo\n")


def test_an_error_of_ours_is_exit_1_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(monkeypatch, CaptureError("no sockets"))[0] == 1
    assert capsys.readouterr() == ("", "connbeat: no sockets\n")


def test_an_interrupt_is_exit_130(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_with(monkeypatch, KeyboardInterrupt())[0] == 130


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        run_with(monkeypatch, ZeroDivisionError())


def test_a_wrong_command_line_is_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.main(["nonsense"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_help_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.main(["--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: connbeat")


def test_every_command_has_a_module() -> None:
    assert set(front._MODULES) == set(COMMANDS) - {"help"}


def test_the_version_loads_nothing_that_is_heavy() -> None:
    code = (
        "import sys; from connbeat.cli.main import main; code = main(['--version']);"
        f"sys.exit(code or ', '.join(set({HEAVY!r}) & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("connbeat ")


def test_a_reader_that_leaves_early_costs_no_traceback() -> None:
    code = "import sys; from connbeat.cli.main import main; sys.exit(main(['help']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_a_broken_file_ends_the_real_program_with_exit_2(tmp_path: Path) -> None:
    path = tmp_path / "connbeat.yml"
    path.write_text("connbeat.poll_interval: fast\nnonsense: 1\n")
    path.chmod(0o600)
    done = subprocess.run(
        [sys.executable, "-m", "connbeat", "-configtest", "-c", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        (
            f"{path}:1: connbeat.poll_interval: found 'fast',"
            " expected a duration such as 30s, 250ms or 1m30s"
        ),
        f"{path}:2: nonsense: unknown key",
    ]


def test_a_full_disk_below_stdout_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed: list[bool] = []
    monkeypatch.setattr(front, "_close_stdout", lambda: closed.append(True))
    full = OSError(errno.ENOSPC, "No space left on device")
    assert run_with(monkeypatch, full)[0] == 1
    assert capsys.readouterr() == ("", "connbeat: No space left on device\n")
    assert closed
    with pytest.raises(OSError, match="I/O"):
        run_with(monkeypatch, OSError(errno.EIO, "I/O error"))
