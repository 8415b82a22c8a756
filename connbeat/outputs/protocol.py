"""What every output promises."""

from typing import Protocol

from connbeat.model.batches import Batch, Outcome


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
        and `Transient` if it may later: `send` then opens by itself. `test output` is this call.
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
