"""add_fields: fields of the user's own, the same in every event."""

from collections.abc import Iterator, Mapping
from typing import Any

from connbeat.model.documents import Document, split_name
from connbeat.processors.fields import TIME, merged
from connbeat.processors.protocol import Processor, ProcessorConfig, Services


class AddFieldsConfig(ProcessorConfig, frozen=True, kw_only=True):
    """`fields` are plain JSON values; `target` "" is the top of the document."""

    target: str = "fields"
    fields: Mapping[str, Any] = {}

    def problems(self) -> Iterator[tuple[str, str]]:
        if not self.target and TIME in self.fields:
            yield "fields", f"found {TIME}, but the time of an event is not to be changed"


def build(config: AddFieldsConfig, _services: Services) -> Processor:
    above: Mapping[str, Any] = config.fields
    for _, head in reversed(split_name(config.target) if config.target else ()):
        above = {head: above}

    def add(document: Document) -> Document:
        return merged(document, above)

    return add
