"""Health: whether the agent lives, and whether it does its work; if not, why. Pure.

`alive` is for who restarts an agent that hangs, `ready` for who wants to know that what it sees
arrives. A destination that is away is no reason to restart anything.
"""

import msgspec

from connbeat.agent.monitoring.vitals import OutputVitals

#: A poll of 200,000 connections takes seconds; what takes a minute hangs.
HANG_SECONDS = 60.0
#: A destination may restart without anybody being called.
STALLED_SECONDS = 30.0
_DROPPED_SECONDS = 60.0
_FULL_RATIO = 0.95


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong: a constant word, whose it is, and the sentence for people."""

    reason: str
    detail: str
    output: str = ""


class Health(msgspec.Struct, frozen=True):
    """The answer; `reasons` is empty if `status` is a good one."""

    status: str
    reasons: tuple[Reason, ...] = ()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the answers hang on. `spool_trouble` is "" where there is none."""

    has_begun: bool
    is_stopping: bool
    capture_age_seconds: float
    outputs: tuple[OutputVitals, ...] = ()
    spool_trouble: str = ""


def alive(facts: Facts) -> Health:
    """While it stops it lives: the stop has a deadline of its own."""
    if facts.is_stopping or facts.capture_age_seconds < HANG_SECONDS:
        return Health("alive")
    return Health("hangs", (_hangs(facts),))


def ready(facts: Facts) -> Health:
    reasons: list[Reason] = []
    if facts.is_stopping:
        reasons.append(Reason("stopping", "The agent stops; what is left is delivered."))
    elif facts.capture_age_seconds >= HANG_SECONDS:
        reasons.append(_hangs(facts))
    elif not facts.has_begun:
        reasons.append(Reason("starting", "The first look at the machine is not over."))
    if facts.spool_trouble:
        detail = f"The disk queue takes no events: {facts.spool_trouble}."
        reasons.append(Reason("spool_unavailable", detail))
    for output in facts.outputs:
        reasons += _of_output(output)
    return Health("not_ready", tuple(reasons)) if reasons else Health("ready")


def _hangs(facts: Facts) -> Reason:
    seconds = facts.capture_age_seconds
    return Reason("capture_hangs", f"Capture has brought nothing to its end for {seconds:.0f}s.")


def _of_output(output: OutputVitals) -> list[Reason]:
    reasons = []
    if output.stalled_seconds >= STALLED_SECONDS:
        detail = f"Nothing got through for {output.stalled_seconds:.0f}s; its events wait."
        reasons.append(Reason("output_stalled", detail, output.name))
    if output.drop_age_seconds is not None and output.drop_age_seconds < _DROPPED_SECONDS:
        detail = "Within the last minute events left its queue unsent; they are lost."
        reasons.append(Reason("queue_drops", detail, output.name))
    elif output.fill_ratio >= _FULL_RATIO:
        detail = f"Its queue is {output.fill_ratio:.0%} full."
        reasons.append(Reason("queue_full", detail, output.name))
    return reasons
