"""Reads what host this is, again and again, in a thread of its own."""

import logging
import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from connbeat.clock import Clock
from connbeat.processors.host.processor import (
    HostMetadataConfig,
    host_fields,
    mac_text,
    parse_os_release,
)

log = logging.getLogger(__name__)

_OS_RELEASE = (Path("/etc/os-release"), Path("/usr/lib/os-release"))
_MACHINE_ID = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


class HostReader:
    """`facts` from any thread, from `start` on; `start` and `close` once each."""

    def __init__(self, config: HostMetadataConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._closed = threading.Event()
        self._fields: Mapping[str, Any] | None = None

    def facts(self) -> Mapping[str, Any] | None:
        return self._fields

    def start(self) -> None:
        """Reads once here, which takes a millisecond, so that the first event has it."""
        self._read()
        threading.Thread(target=self._run, name="host-metadata", daemon=True).start()

    def close(self) -> None:
        self._closed.set()

    def _run(self) -> None:
        while not self._clock.wait(self._closed, self._config.cache_ttl_seconds):
            self._read()

    def _read(self) -> None:
        try:
            fields = read_host(with_addresses=self._config.netinfo_enabled)
        except Exception:  # what was known before is better than nothing
            log.exception("The host's own data could not be read.")
            return
        if fields != self._fields:
            self._fields = fields


def read_host(*, with_addresses: bool) -> dict[str, Any]:
    """Blocks for about a millisecond. Raises OSError."""
    name = os.uname()
    system = {
        "hostname": name.nodename,
        "architecture": name.machine,
        "kernel": name.release,
        "machine_id": _first_text(_MACHINE_ID),
    }
    addresses = _addresses() if with_addresses else {}
    return host_fields(system, parse_os_release(_first_text(_OS_RELEASE)), addresses)


def _first_text(paths: tuple[Path, ...]) -> str:
    for path in paths:
        try:
            return path.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue
    return ""


def _addresses() -> dict[str, list[str]]:
    """Those of every interface but loopback, each once."""
    ips: dict[str, None] = {}
    macs: dict[str, None] = {}
    for interface, found in psutil.net_if_addrs().items():
        if interface == "lo":
            continue
        for one in found:
            if one.family in (socket.AF_INET, socket.AF_INET6):
                ips[one.address.partition("%")[0]] = None
            elif one.family == psutil.AF_LINK:
                macs[mac_text(one.address)] = None
    return {"ip": list(ips), "mac": sorted(macs)}
