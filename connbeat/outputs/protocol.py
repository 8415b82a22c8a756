"""What every output promises."""

import enum
from collections.abc import Iterator
from typing import Protocol

import msgspec

from connbeat.clock import Clock
from connbeat.model.batches import Batch, Outcome
from connbeat.model.schemas import SchemaName
from connbeat.telemetry.metrics import Metrics


class OutputContext(msgspec.Struct, frozen=True, kw_only=True):
    """What an output may know of the agent it belongs to."""

    clock: Clock
    metrics: Metrics
    name: str  # `name` of the configuration, otherwise the host's
    hostname: str
    version: str
    schema: SchemaName = "connbeat"  # the names that the events' fields have


class Step(enum.StrEnum):
    """The steps to a destination, in their order."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    TALK = "talk"
    WRITE = "write"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One step of `connbeat test output`: what was tried, at what, and how it went.

    `error` is "" where it worked, and then `detail` says what was found (an address, a version).
    """

    step: Step
    target: str
    error: str = ""
    detail: str = ""


class Output(Protocol):
    """A destination for batches.

    One thread at a time calls it: the one that starts the agent `open`, from then on only the
    output's own worker. Every call may block for as long as the destination's timeout.
    """

    @property
    def name(self) -> str:
        """What configuration, log and metrics call it."""
        ...

    def open(self) -> None:
        """Make ready what can be made ready now; changes nothing that is there already.

        Raises `Permanent` if it can never work as it is configured, with a message for the user,
        and `Transient` if it may later: `send` then opens by itself.
        """
        ...

    def send(self, batch: Batch) -> Outcome:
        """Send the events in their order. The outcome names every event exactly once.

        Raises `Transient` only when nothing can be said about single events (nothing arrived, or
        it is unknown what did): the whole batch is sent again, and stable ids make that harmless.
        Raises `Permanent` only when the destination is gone for good: the agent stops then.
        """
        ...

    def reopen(self) -> None:
        """SIGHUP: let go of what somebody moved away, and begin anew. Raises `Transient`."""
        ...

    def close(self) -> None:
        """Let go of everything. Never raises; closing twice is harmless."""
        ...

    def checks(self) -> Iterator[Check]:
        """`connbeat test output`: one step after the other, each told as soon as it is known.

        No event is sent; what has to be written to know that writing is allowed is taken back.
        After a step that failed come no more of the same target. Never raises; called on an
        output that was not opened, instead of everything else.
        """
        ...
