"""The commands of the README and the quick start, called as they stand there."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documented import CALLED_BY, PAGES, ROOT, commands, configuration
from tests.system.harness import wait_until

_HERE = "tests/system/test_quickstart.py"

pytestmark = pytest.mark.slow


def called_by(test: str) -> list[tuple[Path, str]]:
    return [
        (page, command)
        for page in PAGES
        for command in commands(page)
        if CALLED_BY.get(command) == f"{_HERE}::{test}"
    ]


def words(command: str) -> list[str]:
    """With the Python of this test instead of that of `.venv`, which need not be there."""
    if command.startswith("make "):
        bin_folder = Path(sys.executable).parent
        return [*shlex.split(command), "-C", str(ROOT), "-o", ".venv/.ready", f"VENV={bin_folder}"]
    return [sys.executable, "-m", "connbeat", *shlex.split(command)[1:]]


def prepare(page: Path, folder: Path) -> None:
    """What the page says to save. The README's events go to the machine's log: not these."""
    text = configuration(page).replace("/var/log/connbeat", "events")
    (folder / "connbeat.yml").write_text(text)
    (folder / "connbeat.yml").chmod(0o600)


@pytest.mark.parametrize(("page", "command"), called_by("test_a_documented_command_succeeds"))
def test_a_documented_command_succeeds(page: Path, command: str, tmp_path: Path) -> None:
    prepare(page, tmp_path)
    result = subprocess.run(
        words(command),
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout != ""
    assert "warning" not in result.stderr


@pytest.mark.parametrize(
    ("page", "command"), called_by("test_a_documented_command_runs_until_it_is_stopped")
)
def test_a_documented_command_runs_until_it_is_stopped(
    page: Path, command: str, tmp_path: Path
) -> None:
    if "-c " in command:
        prepare(page, tmp_path)
    log = tmp_path / "log"
    with log.open("wb") as err, (tmp_path / "events.ndjson").open("wb") as out:
        process = subprocess.Popen(
            words(command),
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    try:
        wait_until(lambda: "Capture stands." in log.read_text(), 15, "the first poll")
    finally:
        # As Ctrl-C does it: everybody in the foreground gets it, make too.
        os.killpg(process.pid, signal.SIGINT)
        code = process.wait(20)
    assert "Traceback" not in log.read_text()
    assert code in (0, -signal.SIGINT, 2) if command.startswith("make") else code == 0
    written = [tmp_path / "events.ndjson", *(tmp_path / "events").glob("*")]
    assert any(b'"connbeat"' in path.read_bytes() for path in written)
