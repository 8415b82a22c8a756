"""The packages, built as `make package` does, and roots of Debian to install them into."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from tests.system.harness import Agent, Document, call

ROOT = Path(__file__).parents[2]

#: The machine's own commands, without those of the environment that the tests run in.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#: What an installation writes beside the package's own: of dpkg, rpm and Python itself.
_BOOKKEEPING = ("var/lib/dpkg/", "var/lib/rpm", "var/log/dpkg.log", "tmp/", "usr/lib/python3")

#: A process with a connection to itself: it prints its port and ends when its input does.
_TALKER = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
client = socket.create_connection(("127.0.0.1", port))
accepted, _ = server.accept()
print(port, flush=True)
sys.stdin.read()
"""


def build_packages(folder: Path, *, umask: int = 0o022, zone: str = "UTC") -> Path:
    """Build a copy of the checkout that is made in `folder`; its `dist`."""
    listed = call("git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard").splitlines()
    for name in [name for name in listed if (ROOT / name).is_file()]:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    wheels = ROOT / ".cache/package/wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    (folder / ".cache/package").mkdir(parents=True)
    (folder / ".cache/package/wheels").symlink_to(wheels)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    epoch = call("git", "-C", str(ROOT), "log", "-1", "--format=%ct")
    result = subprocess.run(
        ["scripts/package"],
        cwd=folder,
        umask=umask,
        env={**os.environ, "SOURCE_DATE_EPOCH": epoch, "TZ": zone, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return folder / "dist"


class Packages:
    """What is in `dist`, by kind."""

    def __init__(self, dist: Path) -> None:
        self.dist = dist
        self.deb, self.rpm = self._only("*.deb"), self._only("*.rpm")
        self.archive, self.wheel = self._only("*-linux-*.tar.gz"), self._only("*.whl")

    def _only(self, pattern: str) -> Path:
        [found] = self.dist.glob(pattern)
        return found

    def next_deb(self, folder: Path) -> Path:
        """The deb as a later version: another default, one module less, one more."""
        tree, later = folder / "next", folder / "next.deb"
        call("dpkg-deb", "--raw-extract", str(self.deb), str(tree))
        control = tree / "DEBIAN/control"
        control.write_text(control.read_text().replace("-1\n", "-2\n", 1))
        with (tree / "etc/connbeat/connbeat.yml").open("a") as config:
            config.write("# of the later version\n")
        package = tree / "usr/lib/connbeat/site/connbeat"
        shutil.copytree(package / "views", package / "vistas")
        shutil.rmtree(package / "views")
        call("dpkg-deb", "--build", "-Znone", "--root-owner-group", str(tree), str(later))
        return later


def unpack_debian(folder: Path) -> Path:
    """A folder with all files of a Debian; see `scripts/debian-root`."""
    archive = call(str(ROOT / "scripts/debian-root"))
    call("tar", "--extract", "--numeric-owner", "--directory", str(folder), "--file", archive)
    return folder


class DebianRoot:
    """A Debian 12 with python3, without any Python package; a layer over `base`, to be thrown away.

    Use it with `with`.
    """

    def __init__(self, base: Path, folder: Path) -> None:
        self.path = folder / "root"
        self._layers = [folder / name for name in ("upper", "work")]
        for path in (self.path, *self._layers):
            path.mkdir()
        upper, work = self._layers
        options = f"lowerdir={base},upperdir={upper},workdir={work}"
        call("mount", "-t", "overlay", "overlay", "-o", options, str(self.path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        call("umount", str(self.path))
        for path in self._layers:
            shutil.rmtree(path)

    def enter(self, command: Sequence[str], *, with_kernel: bool = False) -> tuple[str, ...]:
        """The words that run a command in it, with the host's /proc, /sys and network or none."""
        root = str(self.path)
        if not with_kernel:
            return ("unshare", "--net", "chroot", root, *command)
        mounts = " && ".join(
            f'mount --rbind /{name} "$0/{name}"' for name in ("proc", "sys", "dev")
        )
        script = f'{mounts} && exec chroot "$0" "$@"'
        return ("unshare", "--mount", "sh", "-c", script, root, *command)

    def call(self, *command: str) -> str:
        """Standard output of a command in it that has to succeed."""
        env = {"PATH": SYSTEM_PATH, "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}
        result = subprocess.run(
            self.enter(command), capture_output=True, text=True, check=False, env=env
        )
        assert result.returncode == 0, f"{' '.join(command)}: {result.stderr or result.stdout}"
        return result.stdout.strip()

    def dpkg(self, *arguments: str) -> str:
        return self.call("dpkg", "--force-confdef", "--force-confold", *arguments)

    def put(self, package: Path) -> str:
        """Copy a file into it; its path there."""
        shutil.copy(package, self.path / "tmp")
        return f"/tmp/{package.name}"

    def read(self, path: str) -> str:
        return (self.path / path).read_text()

    def files(self) -> set[str]:
        """Everything in it but what package managers and Python keep for themselves."""
        found = {str(path.relative_to(self.path)) for path in self.path.rglob("*")}
        return {path for path in found if not path.startswith(_BOOKKEEPING)}


class PackagedAgent(Agent):
    """`connbeat run` of a package, with the configuration that came with it."""

    def __init__(self, folder: Path, command: Sequence[str], events: Path) -> None:
        super().__init__(folder, program=command, environ={"PATH": SYSTEM_PATH, "PYTHONPATH": ""})
        self._out = events

    def events(self) -> list[Document]:
        with contextlib.suppress(FileNotFoundError):  # made with the first event
            return super().events()
        return []


class Talker:
    """A process with one connection, to itself; use it with `with`."""

    def __init__(self, *before: str) -> None:
        self._process = subprocess.Popen(
            [*before, "-c", _TALKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": SYSTEM_PATH},
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.pid = self._process.pid

    def is_about(self, event: Document) -> bool:
        """Whether an event is one of its connection, as who called."""
        return event.get("remote_port") == self.port and event["local_process"]["pid"] == self.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=15)


def pythons() -> Iterator[str]:
    """A python3 of each minor version that the machine has."""
    versions: set[str] = set()
    others = sorted(Path.home().glob(".pyenv/versions/3.1[123].*/bin/python3"))
    names = ("python3", "python3.11", "python3.12", "python3.13", *map(str, others))
    for name in names:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            code = "import sys; print(sys.executable, '%d.%d' % sys.version_info[:2])"
            asked = subprocess.run([name, "-c", code], capture_output=True, text=True, check=True)
            path, version = asked.stdout.split()
            if version not in versions:
                versions.add(version)
                yield path
