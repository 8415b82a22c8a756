"""dns: the name of an address, from the servers' PTR records.

What is known stands in the event at once. What is not is asked for, and the event waits for the
answer, but not for long: then it goes on without.
"""

from collections.abc import Mapping
from typing import Any, Literal

from connbeat.model.documents import Document, field_getter
from connbeat.processors.fields import field_setter
from connbeat.processors.protocol import Held, Names, Processor, ProcessorConfig, Services
from connbeat.processors.tags import tagger

Query = Literal["reverse", "ptr"]
Existing = Literal["append", "replace"]
Transport = Literal["udp", "tls"]


class DnsConfig(ProcessorConfig, frozen=True, kw_only=True):
    """`fields` are addresses by name, and where their names go. No `nameservers`: resolv.conf's."""

    type: Query = "reverse"
    fields: Mapping[str, str] = {}
    action: Existing = "append"
    max_wait_seconds: float = 1.0
    nameservers: tuple[str, ...] = ()
    timeout_seconds: float = 0.5
    transport: Transport = "udp"
    success_cache_capacity_initial: int = 1000
    success_cache_capacity_max: int = 10_000
    success_cache_min_ttl_seconds: float = 60.0
    failure_cache_capacity_initial: int = 1000
    failure_cache_capacity_max: int = 10_000
    failure_cache_ttl_seconds: float = 60.0
    tag_on_failure: tuple[str, ...] = ()


def build(config: DnsConfig, services: Services) -> Processor:
    names = services.names(config)
    get = names.get
    pairs = tuple(
        (field_getter(source), field_getter(target), field_setter(target))
        for source, target in config.fields.items()
    )
    tag = tagger(config.tag_on_failure) if config.tag_on_failure else None
    is_append = config.action == "append"

    def finish(document: Document) -> Document:
        """With what is known now. Each target is read before anything is written to it."""
        result, has_failed = document, False
        for get_address, get_target, put in pairs:
            address = get_address(document)
            if address is None:
                continue
            name = get(str(address))
            if name:
                known = get_target(result) if is_append else None
                result = put(result, name if known is None else _appended(known, name))
            else:
                has_failed = True
        return result if tag is None or not has_failed else tag(result)

    def run(document: Document) -> Document:
        addresses = [get_address(document) for get_address, _, _ in pairs]
        unknown = [one for one in addresses if one is not None and get(str(one)) is None]
        if not unknown or config.max_wait_seconds <= 0:
            return finish(document)
        raise Held(document, _Answers(names, unknown), finish, config.max_wait_seconds)

    return run


class _Answers:
    """Whether all of them are there."""

    def __init__(self, names: Names, addresses: list[Any]) -> None:
        self._names = names
        self._addresses = addresses

    def __call__(self) -> bool:
        return all(self._names.get(str(one)) is not None for one in self._addresses)


def _appended(known: object, name: str) -> object:
    if isinstance(known, list | tuple):
        return [*known, name]
    return known if known == name else [known, name]
