"""`compile.py SITE TARGET`: fills TARGET, a root directory, with SITE and what it loads, compiled.

Compiled beforehand is what the agent's commands import, of the site and of Python's own library: a
Python image has nothing of that compiled, and a read-only root lets nobody do it later. It is
compiled without times, so that two builds are alike. Python's own files are compared with their
source at each start, since who builds on this image may upgrade Python; ours are not.

Left out of the site is what only a person or a compiler would read.
"""

import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path
from py_compile import PycInvalidationMode

_NOT_COMPARED, _COMPARED = PycInvalidationMode.UNCHECKED_HASH, PycInvalidationMode.CHECKED_HASH
#: What nobody imports at run time.
_LEFT_OUT = ("*.pyi", "*.pxd", "*.pyx", "*.c", "*.h", "tests", "bin", "__pycache__")

#: Commands that between them import what an agent with every output imports.
_TOUCH = """
import importlib, pkgutil, sys
import connbeat
for module in pkgutil.walk_packages(connbeat.__path__, "connbeat."):
    importlib.import_module(module.name)
for name in (
    "confluent_kafka docker elasticsearch encodings.idna gzip msgspec prometheus_client psutil "
    "redis rich.live rich.table sqlite3 ssl urllib3 yaml zlib"
).split():
    importlib.import_module(name)
files = (getattr(module, "__file__", None) or "" for module in list(sys.modules.values()))
print("\\n".join(file for file in files if file.endswith(".py")))
"""


def main(site: Path, target: Path) -> None:
    copied = target / site.relative_to("/")
    shutil.copytree(site, copied, ignore=shutil.ignore_patterns(*_LEFT_OUT), symlinks=True)
    for source in imported(site):
        is_ours = site in source.parents
        compile_into(source, target, _NOT_COMPARED if is_ours else _COMPARED)


def imported(site: Path) -> list[Path]:
    """The sources of all that the agent's commands load."""
    environ = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-B", "-W", "ignore", "-c", _TOUCH]
    answer = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return sorted(Path(line) for line in answer.stdout.splitlines())


def compile_into(source: Path, target: Path, mode: PycInvalidationMode) -> None:
    """The compiled module where Python looks for it, below `target`."""
    name = f"{source.stem}.{sys.implementation.cache_tag}.pyc"
    place = target / source.relative_to("/").parent / "__pycache__" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    py_compile.compile(
        str(source), str(place), dfile=str(source), doraise=True, invalidation_mode=mode
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
