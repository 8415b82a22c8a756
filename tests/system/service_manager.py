"""systemd without a machine that was started by it: a user's manager, run by root.

Such a manager applies everything a unit says, sandbox and all, as the first process would; only its
folders for state and logs are elsewhere. It gets a mount namespace of its own, in which the package
lies over the machine's /usr and /etc, so the machine has nothing of it.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from tests.system.harness import call, wait_until

_MANAGER = "/lib/systemd/systemd"

# $0 is the package, unpacked; $1 the folder for what it writes. What only the first process makes,
# /run/systemd, is made here; /run is a file system of its own, or the unit would get an empty one;
# and tracefs is where systemd mounts it at boot.
_PREPARE = """
set -e
mountpoint -q /run || mount --rbind /run /run
mkdir -p /run/systemd
mount -t tmpfs tmpfs /run/systemd
mkdir -p /run/systemd/system /run/systemd/inaccessible
cd /run/systemd/inaccessible
mkdir -m 0 dir; touch reg; chmod 0 reg; mkfifo -m 0 fifo; mknod -m 0 chr c 0 0; mknod -m 0 blk b 0 0
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")'
cd /
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
for folder in usr etc var/lib var/log; do
    mount -t overlay -o "lowerdir=$0/$folder:/$folder" overlay "/$folder"
done
mount --bind "$1/lib" /var/lib/connbeat
mount --bind "$1/log" /var/log/connbeat
"""


class ServiceManager:
    """The manager, and the units it knows: those of the package. Use it with `with`.

    `package` is unpacked and may be changed: units and drop-ins are written into it.
    """

    def __init__(self, package: Path, folder: Path) -> None:
        self._package, self._folder = package, folder
        self.logs = folder / "log"
        self._units = folder / "units"
        for path in (folder / "lib", self.logs, self._units / "systemd/user"):
            path.mkdir(parents=True)
        # Where the unit sees it, which has a /tmp of its own: that it is ready is said there.
        self._runtime = tempfile.TemporaryDirectory(prefix="connbeat-test-", dir="/run")
        self.runtime = self._runtime.name
        self._environ = {
            **{name: os.environ[name] for name in ("TERM",) if name in os.environ},
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "XDG_RUNTIME_DIR": self._runtime.name,
            "XDG_CONFIG_HOME": str(self._units),
        }
        command = f"{_PREPARE} exec {_MANAGER} --user --unit=basic.target --log-target=console"
        with (folder / "manager.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "unshare",
                    "--mount",
                    "--propagation=slave",
                    "sh",
                    "-c",
                    command,
                    str(package),
                    str(folder),
                ],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, 15, f"the service manager answers; see {folder}/manager.log")

    def add(self, name: str, *settings: str) -> None:
        """A unit as that of the package, with these settings of `[Service]` on top."""
        folder = self._units / "systemd/user"
        shutil.copy(
            self._package / "usr/lib/systemd/system/connbeat.service", folder / f"{name}.service"
        )
        drop_in = folder / f"{name}.service.d"
        drop_in.mkdir()
        # A user's folders for state and logs are at home; the package's own take their place.
        ours = [
            "StateDirectory=",
            "LogsDirectory=",
            "ReadWritePaths=/var/lib/connbeat /var/log/connbeat",
            f"StandardOutput=truncate:{self._folder}/{name}.out",
            f"StandardError=truncate:{self._folder}/{name}.err",
        ]
        text = "\n".join(["[Service]", *ours, *settings])
        (drop_in / "test.conf").write_text(f"{text}\n")

    def systemctl(self, *arguments: str) -> str:
        """Standard output of a command that has to succeed."""
        result = self._systemctl(*arguments)
        assert result.returncode == 0, result.stderr or result.stdout
        return result.stdout.strip()

    def show(self, name: str, setting: str) -> str:
        return self.systemctl("show", "--value", "--property", setting, f"{name}.service")

    def output(self, name: str) -> str:
        """What the unit wrote so far to standard output."""
        return (self._folder / f"{name}.out").read_text()

    def log(self, name: str) -> str:
        """What the unit wrote so far to standard error."""
        return (self._folder / f"{name}.err").read_text()

    def own_log(self) -> str:
        return (self._folder / "manager.log").read_text()

    def _systemctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["systemctl", "--user", *arguments],
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.own_log()
        return self._systemctl("show", "--property=Version").returncode == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._systemctl("exit")
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._runtime.cleanup()


def unpack_deb(deb: Path, folder: Path) -> Path:
    """A deb's files; nothing is installed."""
    call("dpkg-deb", "--extract", str(deb), str(folder))
    return folder
