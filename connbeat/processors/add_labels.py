"""add_labels: pairs of the user's own below `labels`, with flat names."""

from collections.abc import Iterator, Mapping
from typing import Any

from connbeat.model.documents import Document
from connbeat.processors.protocol import Processor, ProcessorConfig, ProcessorFailed, Services


class AddLabelsConfig(ProcessorConfig, frozen=True, kw_only=True):
    """Plain JSON values."""

    labels: Mapping[str, Any] = {}


def build(config: AddLabelsConfig, _services: Services) -> Processor:
    flat = dict(_flat(config.labels, ""))

    def add(document: Document) -> Document:
        labels = document.get("labels")
        if labels is not None and not isinstance(labels, dict):
            raise ProcessorFailed("labels is no section")
        return {**document, "labels": {**labels, **flat} if labels else dict(flat)}

    return add


def _flat(value: object, name: str) -> Iterator[tuple[str, object]]:
    """Keys joined with dots; the items of a list are numbered from 0."""
    if isinstance(value, Mapping):
        pairs = [(str(key), inside) for key, inside in value.items()]
    elif isinstance(value, list | tuple):
        pairs = [(str(number), inside) for number, inside in enumerate(value)]
    else:
        yield name, value
        return
    for key, inside in pairs:
        yield from _flat(inside, f"{name}.{key}" if name else key)
