"""Sight: what the agent can see from where it was started, read once the first poll is over."""

import os

from connbeat.agent.build import Observation
from connbeat.capture.advice import Sight
from connbeat.errors import CaptureError
from connbeat.linux.procfs import parse_capabilities


def read_sight(observation: Observation) -> Sight:
    """The facts behind `capture.advice`; never raises."""
    procfs = observation.procfs
    try:
        status = procfs.read(os.getpid(), "status")
    except CaptureError:
        status = b""
    try:
        apparmor = procfs.read(os.getpid(), "attr/current").decode("utf-8", "replace")
    except CaptureError:
        apparmor = ""
    return Sight(
        capabilities=parse_capabilities(status),
        has_host_pids=procfs.has_host_pids(),
        standings=tuple(observation.snapshots.standings().values()),
        unreadable_pids=len(observation.observer.seen.unreadable_pids),
        apparmor=apparmor.strip("\0\n ").partition(" ")[0],
    )
