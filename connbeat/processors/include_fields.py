"""include_fields: the event goes on with these fields alone, and with `@timestamp` and `type`."""

from collections.abc import Callable
from typing import Any

from connbeat.model.documents import Document
from connbeat.processors.fields import KEPT, path_finder
from connbeat.processors.protocol import Processor, ProcessorConfig, Services


class IncludeFieldsConfig(ProcessorConfig, frozen=True, kw_only=True):
    """Names; what an event has not is not missed."""

    fields: tuple[str, ...] = ()


def build(config: IncludeFieldsConfig, _services: Services) -> Processor:
    names = dict.fromkeys((*KEPT, *config.fields))
    whole = tuple(name for name in names if "." not in name)
    parts = tuple(_taker(name) for name in names if "." in name)

    def include(document: Document) -> Document:
        result = {name: document[name] for name in whole if name in document}
        for take in parts:
            take(document, result)
        return result

    return include


def _taker(name: str) -> Callable[[Document, dict[str, Any]], None]:
    """Puts a field of the document into the result, below sections that are ours."""
    find = path_finder(name)

    def take(document: Document, result: dict[str, Any]) -> None:
        path = find(document)
        if path is None:
            return
        source: Any = document
        for key in path[:-1]:
            source = source[key]
            known = result.get(key)
            if known is source:
                return  # the section is there as a whole, and not ours
            if known is None:
                known = result[key] = {}
            result = known
        result[path[-1]] = source[path[-1]]

    return take
