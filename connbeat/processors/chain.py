"""Chain: the steps of `processors:` as one function, compiled once, from the last to the first.

Each step's function calls the next one's, so a document that has to wait in the middle can go on
from there: `Held` carries the rest of the way.
"""

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, Protocol

from connbeat.model.conditions import Condition, parse_condition
from connbeat.model.documents import Document
from connbeat.processors.protocol import (
    Action,
    Branch,
    Held,
    Processor,
    ProcessorConfig,
    ProcessorFailed,
    Services,
    Step,
)

_Build = Callable[[ProcessorConfig, Services], Processor]

#: The module of a processor with this name, where it is not the name itself.
_MODULES = {
    "dns": "dns.processor",
    "add_host_metadata": "host.processor",
    "add_cloud_metadata": "cloud.processor",
}


class Accounts(Protocol):
    """Who counts and logs what happens to documents on the way."""

    def failed(self, label: str, error: Exception) -> None: ...

    def filtered(self, label: str) -> None: ...


def compile_chain(steps: Sequence[Step], services: Services, accounts: Accounts) -> Processor:
    """One function of them all. It raises Held, and nothing else.

    Raises ValueError where a condition is none: the configuration was not checked.
    """
    return _compiled(steps, _Builder(services, accounts), lambda document: document)


class _Builder:
    """What all steps are made with."""

    def __init__(self, services: Services, accounts: Accounts) -> None:
        self._services = services
        self._accounts = accounts

    def step(self, step: Step, then: Processor) -> Processor:
        if isinstance(step, Branch):
            fits = parse_condition(step.condition)
            first = _compiled(step.then, self, then)
            return _either(fits, first, _compiled(step.otherwise, self, then))
        run = _linked(self._act(step), then, step.label, self._accounts)
        return run if step.when is None else _either(parse_condition(step.when), run, then)

    def _act(self, action: Action) -> Processor:
        module: Any = import_module(f"connbeat.processors.{_MODULES.get(action.name, action.name)}")
        build: _Build = module.build
        return build(action.config, self._services)


def _compiled(steps: Sequence[Step], builder: _Builder, then: Processor) -> Processor:
    for step in reversed(steps):
        then = builder.step(step, then)
    return then


def _either(fits: Condition, first: Processor, second: Processor) -> Processor:
    def choose(document: Document) -> Document | None:
        return first(document) if fits(document) else second(document)

    return choose


def _linked(act: Processor, then: Processor, label: str, accounts: Accounts) -> Processor:
    """The processor and everything after it."""

    def run(act: Processor, document: Document) -> Document | None:
        try:
            result = act(document)
        except Held as held:
            resume = partial(run, held.resume)
            raise Held(document, held.is_ready, resume, held.seconds) from None
        except ProcessorFailed as failure:
            accounts.failed(label, failure)
            result = document if failure.document is None else failure.document
        except Exception as error:  # noqa: BLE001  a bug in one processor must not cost the event
            accounts.failed(label, error)
            result = document
        if result is None:
            accounts.filtered(label)
            return None
        return then(result)

    return partial(run, act)
