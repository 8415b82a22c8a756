"""`connbeat version`."""

import os
import sys

import connbeat
from connbeat.cli.options import Options

# The names under which Go, and so the original, and Docker know them.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def run(options: Options) -> int:  # noqa: ARG001  every command takes them
    sys.stdout.write(f"{version_line(os.uname().machine)}\n")
    return 0


def version_line(machine: str) -> str:
    python = ".".join(map(str, sys.version_info[:3]))
    architecture = _ARCHITECTURES.get(machine, machine)
    return f"connbeat {connbeat.__version__} ({architecture}), Python {python}"
