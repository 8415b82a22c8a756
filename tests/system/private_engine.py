"""A Docker engine of the test's own, which may be restarted and killed under the agent.

It has its own folders and lives in a network namespace of its own: with `--bridge=none` a dockerd
removes the bridge it finds, and that is not to be the one of the machine's engine. Its containers
run with `--network none`, or with `--network host` in that namespace.
"""

import shutil
import signal
import subprocess
from pathlib import Path
from typing import Self

from tests.system.harness import BUSYBOX, call, wait_until


class PrivateEngine:
    """A dockerd under `folder`, started at once; use it with `with`.

    With `keeps_containers` (live restore) the containers outlive the daemon. The path of `folder`
    has to be short: that of a socket takes 107 bytes.
    """

    def __init__(self, folder: Path, *, keeps_containers: bool = False) -> None:
        self.socket = folder / "docker.sock"
        self.environ = {"DOCKER_HOST": f"unix://{self.socket}"}
        self._folder = folder
        self._keeps_containers = keeps_containers
        self._daemon: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = [
            "unshare",
            "--net",
            "dockerd",
            f"--host=unix://{self.socket}",
            f"--data-root={self._folder / 'data'}",
            f"--exec-root={self._folder / 'exec'}",
            f"--pidfile={self._folder / 'docker.pid'}",
            "--bridge=none",
            "--iptables=false",
            f"--live-restore={str(self._keeps_containers).lower()}",
        ]
        with (self._folder / "dockerd.log").open("ab") as log:
            self._daemon = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self._answers, 60, f"dockerd answers; see {log.name}")

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        """End the daemon; its containers with it, unless it keeps them."""
        daemon = self._daemon
        if daemon is not None:
            containerd = Path(
                "/proc", (self._folder / "exec/containerd/containerd.pid").read_text()
            )
            daemon.send_signal(with_signal)
            daemon.wait(60)
            self._daemon = None
            # It dies with a daemon that is killed, but a little later: the next daemon would take
            # it for one that lives, and wait for it in vain.
            wait_until(lambda: not containerd.exists(), 30, "its containerd is gone")

    def docker(self, *arguments: str) -> str:
        """A `docker` command for this engine."""
        return call("docker", "--host", self.environ["DOCKER_HOST"], *arguments)

    def load_busybox(self) -> None:
        """Copy the busybox image from the machine's engine."""
        with subprocess.Popen(["docker", "save", BUSYBOX], stdout=subprocess.PIPE) as saved:
            subprocess.run(
                ["docker", "--host", self.environ["DOCKER_HOST"], "load"],
                stdin=saved.stdout,
                check=True,
                capture_output=True,
            )

    def close(self) -> None:
        """Remove the containers, end the daemon, undo its mounts."""
        if self._daemon is None:
            self.start()
        ids = self.docker("ps", "--all", "--quiet").split()
        if ids:
            self.docker("rm", "--force", *ids)
        self.stop()
        for mount in _mounts_below(self._folder):
            subprocess.run(["umount", mount], capture_output=True, check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answers(self) -> bool:
        assert self._daemon is not None
        assert self._daemon.poll() is None, (self._folder / "dockerd.log").read_text()
        command = ["docker", "--host", self.environ["DOCKER_HOST"], "version"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _mounts_below(folder: Path) -> list[str]:
    """Mount points below a folder, the inner ones first."""
    fields = [line.split(" ") for line in Path("/proc/self/mounts").read_text().splitlines()]
    return sorted((it[1] for it in fields if it[1].startswith(f"{folder}/")), reverse=True)
