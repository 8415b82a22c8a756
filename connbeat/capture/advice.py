"""Advice: what the agent cannot see, and the flag or capability that would show it. Pure."""

from collections.abc import Iterable, Iterator

import msgspec

from connbeat.capture.ladder import OTHER_PIDS, SWITCHED_OFF, Rung, Standing

#: Bits of `CapEff` (include/uapi/linux/capability.h) that this version makes use of.
CAPABILITIES = {
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_NET_BROADCAST": 11,
    "CAP_NET_ADMIN": 12,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
}


class Lack(msgspec.Struct, frozen=True, gc=False):
    """One thing missing: what is not seen for want of it, and what to give."""

    what: str
    give: str


_STEPS = {
    Rung.DUMP: Lack(
        "connections that open and close between two polls",
        "CAP_NET_BROADCAST and CAP_NET_ADMIN"
        " (docker run --cap-add NET_BROADCAST --cap-add NET_ADMIN)",
    ),
    Rung.CLOSES: Lack(
        "who called in a short connection, failed connects, exact times",
        "root with CAP_SYS_ADMIN and tracefs"
        " (docker run --cap-add SYS_ADMIN -v /sys/kernel/tracing:/sys/kernel/tracing)",
    ),
    Rung.TRANSITIONS: Lack(
        "who answers behind a published port or a service address",
        "CAP_NET_ADMIN (docker run --cap-add NET_ADMIN)",
    ),
}
_HOST_PIDS = "--pid=host (not for a sidecar)"


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent found out about its own place.

    `capabilities` is the effective mask, `has_host_pids` false where it sees only a container's
    processes, `apparmor` the profile it runs under ("" or "unconfined" for none).
    """

    capabilities: int
    has_host_pids: bool
    standings: tuple[Standing, ...]
    unreadable_pids: int
    apparmor: str = ""


def lacks(sight: Sight) -> list[Lack]:
    """Everything that would show more, the greatest first."""
    found: list[Lack] = []
    if not sight.has_host_pids:
        found.append(Lack("processes outside this container", _HOST_PIDS))
    low = _below(sight.standings)
    if low and not _has(sight, "CAP_SYS_ADMIN"):
        found.append(
            Lack(
                f"counters and exact identity in {low} other namespaces",
                "CAP_SYS_ADMIN (docker run --cap-add SYS_ADMIN)",
            )
        )
    wanting = [name for name in ("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH") if not _has(sight, name)]
    if wanting:
        flags = " ".join(f"--cap-add {name.removeprefix('CAP_')}" for name in wanting)
        found.append(
            Lack(
                "processes of other users or with more capabilities",
                f"{' and '.join(wanting)} (docker run {flags})",
            )
        )
    elif sight.unreadable_pids:
        found.append(
            Lack(
                f"{sight.unreadable_pids} processes that the kernel refuses all the same",
                "no capability: a security module, or the host's own user namespace",
            )
        )
    found += _rungs(sight.standings)
    if sight.apparmor not in ("", "unconfined"):
        found.append(
            Lack(
                f"whatever the AppArmor profile {sight.apparmor} forbids",
                "docker run --security-opt apparmor=unconfined",
            )
        )
    return found


def _rungs(standings: Iterable[Standing]) -> Iterator[Lack]:
    """What the rungs above the dump would show, once for each reason why they are not reached."""
    for standing in dict.fromkeys(standings):
        step = _STEPS.get(standing.rung)
        if step is not None and standing.missing not in ("", SWITCHED_OFF):
            give = _HOST_PIDS if standing.missing == OTHER_PIDS else step.give
            yield Lack(f"{step.what} ({standing.missing})", give)


def _below(standings: Iterable[Standing]) -> int:
    return sum(standing.rung < Rung.DUMP for standing in standings)


def _has(sight: Sight, name: str) -> bool:
    return bool(sight.capabilities >> CAPABILITIES[name] & 1)
