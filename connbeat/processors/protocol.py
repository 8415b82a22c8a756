"""What a processor is, and what it is handed."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import msgspec

from connbeat.clock import Clock
from connbeat.model.documents import Document

#: The document to go on with, or None: the event is dropped. Never changes what it is given.
Processor = Callable[[Document], Document | None]


class ProcessorFailed(Exception):  # noqa: N818  a fact about one event: it goes on
    """The processor could not do its work on this document; the message says why.

    `document` is what to go on with where a part was done, None for the one that came.
    """

    def __init__(self, text: str, document: Document | None = None) -> None:
        super().__init__(text)
        self.document = document


class Held(Exception):  # noqa: N818  a fact about one event: it waits
    """The document waits for something, that many seconds at most.

    `resume(document)` goes on with it, ready or not.
    """

    def __init__(
        self, document: Document, is_ready: Callable[[], bool], resume: Processor, seconds: float
    ) -> None:
        super().__init__("the document waits")
        self.document = document
        self.is_ready = is_ready
        self.resume = resume
        self.seconds = seconds


class ProcessorConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Any processor's options."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """What cannot be meant together, by option: what was found and what would be right."""
        yield from ()


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """A processor; `when` is a condition as plain data, None for always."""

    name: str
    config: ProcessorConfig
    when: Mapping[str, Any] | None = None
    tag: str = ""

    @property
    def label(self) -> str:
        """What log lines call it."""
        return f"{self.name} {self.tag}" if self.tag else self.name


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """`if`, `then`, `else`; `condition` is plain data."""

    condition: Mapping[str, Any]
    then: "tuple[Step, ...]"
    otherwise: "tuple[Step, ...]" = ()


Step = Action | Branch


class Names(Protocol):
    """Names of addresses."""

    def get(self, address: str) -> str | None:
        """The name, "" where there is none or none is to be had.

        None where nothing is known yet: it is being asked for. Never blocks.
        """
        ...


#: What is known now, None if nothing is (yet). Never blocks.
Facts = Callable[[], Mapping[str, Any] | None]


class Services(Protocol):
    """What processors need of the world; asked once, when the chain is compiled."""

    @property
    def clock(self) -> Clock: ...

    def names(self, config: ProcessorConfig) -> Names:
        """For a `dns` processor with these options."""
        ...

    def facts(self, config: ProcessorConfig) -> Facts:
        """For an `add_host_metadata` or `add_cloud_metadata` with these options."""
        ...
