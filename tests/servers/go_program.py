"""Programs in Go that tests need: built once, from `tests/services/<name>`, kept in `.cache`."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def build(name: str) -> Path:
    """The program. The first time this takes most of a minute."""
    sources = ROOT / "tests" / "services" / name
    program = ROOT / ".cache" / "services" / name
    program.parent.mkdir(parents=True, exist_ok=True)
    with program.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        newest = max(path.stat().st_mtime for path in sources.iterdir())
        if program.exists() and program.stat().st_mtime >= newest:
            return program
        if shutil.which("go") is None:
            pytest.skip("needs go: see scripts/test-setup")
        made = program.with_suffix(".new")
        subprocess.run(
            ["go", "build", "-trimpath", "-o", made, "."],
            cwd=sources,
            env=os.environ | {"CGO_ENABLED": "0"},
            check=True,
        )
        made.rename(program)
    return program
