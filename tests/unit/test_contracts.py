"""What may be imported where, proved by importing it in an interpreter of its own.

The static half of this is import-linter's (`make lint`); it cannot see what an import inside a
function pulls in, nor what is missing on another kernel.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Everything that decides: has to work, and be tested, without a Linux kernel.
PURE_ROOMS = ("config", "connections", "events", "model", "processors", "queue", "views")
PURE_MODULES = (
    "connbeat.attribution.owners",
    "connbeat.cli.main",
    "connbeat.discovery.cgroups",
    "connbeat.discovery.inspect",
    "connbeat.discovery.registry",
)

#: Memory: what the command line must not load before it is known to be needed.
HEAVY = {"confluent_kafka", "dns", "docker", "elasticsearch", "psutil", "redis", "requests", "rich"}
HEAVY |= {"cryptography", "prometheus_client", "urllib3", "yaml"}

WITHOUT_LINUX = """
import importlib, importlib.abc, socket, sys

class NoLinux(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "connbeat.linux") or name.startswith("connbeat.linux."):
            raise ImportError(f"{name}: there is no Linux here")

sys.platform = "darwin"
sys.meta_path.insert(0, NoLinux())
for missing in [name for name in vars(socket) if "NETLINK" in name or "PACKET" in name]:
    delattr(socket, missing)
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def python(source: str, *arguments: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", source, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def modules_of(room: str) -> list[str]:
    folder = ROOT / "connbeat" / room
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in folder.rglob("*.py")
    ]
    return [name.removesuffix(".__init__") for name in names]


def is_client(name: str) -> bool:
    """What a processor looks something up with; everything else in its package is pure."""
    return name.startswith("connbeat.processors.") and name.endswith(".client")


def test_what_decides_can_be_imported_where_there_is_no_linux() -> None:
    names = [name for room in PURE_ROOMS for name in modules_of(room) if not is_client(name)]
    assert names
    python(WITHOUT_LINUX, *names, *PURE_MODULES)


def test_linux_is_really_away_in_that_test() -> None:
    with pytest.raises(AssertionError, match="there is no Linux here"):
        python(WITHOUT_LINUX, "connbeat.linux.procfs")


def test_the_command_line_loads_no_library_before_it_is_needed() -> None:
    loaded = python("import connbeat.cli.main, sys; print(*sys.modules)").split()
    assert sorted(HEAVY.intersection(loaded)) == []


def test_an_agent_without_tls_or_secrets_loads_no_cryptography() -> None:
    source = "import connbeat.cli.run, sys; print(*sys.modules)"
    assert {"_hashlib", "_ssl", "cryptography"}.intersection(python(source).split()) == set()


def test_processors_load_what_they_look_up_with_only_when_they_are_built() -> None:
    source = "import connbeat.agent.processing, connbeat.config.load, sys; print(*sys.modules)"
    loaded = python(source).split()
    assert "connbeat.processors.dns.processor" in loaded
    assert [name for name in loaded if re.fullmatch(r"connbeat\.processors\..*client", name)] == []
    assert {"dns", "psutil", "urllib3"}.intersection(loaded) == set()
