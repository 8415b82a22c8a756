"""truncate_fields: texts that are too long are cut."""

from collections.abc import Callable, Iterator

from connbeat.model.documents import Document, field_getter
from connbeat.processors.fields import TIME, field_setter
from connbeat.processors.moves import in_order
from connbeat.processors.protocol import Processor, ProcessorConfig, ProcessorFailed, Services


class TruncateFieldsConfig(ProcessorConfig, frozen=True, kw_only=True):
    """One of the two limits; 0 is none."""

    fields: tuple[str, ...] = ()
    max_bytes: int = 0
    max_characters: int = 0
    fail_on_error: bool = True
    ignore_missing: bool = False

    def problems(self) -> Iterator[tuple[str, str]]:
        if TIME in self.fields:
            yield "fields", f"found {TIME}, but the time of an event is not to be changed"
        if self.max_bytes and self.max_characters:
            yield "max_bytes", "found beside max_characters, expected only one of the two"
        elif not self.max_bytes and not self.max_characters:
            yield "max_bytes", "is missing, expected max_bytes or max_characters"


def build(config: TruncateFieldsConfig, _services: Services) -> Processor:
    cut = _to_bytes(config.max_bytes) if config.max_bytes else _to_characters(config.max_characters)
    parts = tuple(_part(name, cut, config.ignore_missing) for name in config.fields)
    return in_order(parts, fail_on_error=config.fail_on_error)


def _to_bytes(limit: int) -> Callable[[str], str]:
    """In UTF-8, and never in the middle of a character."""

    def cut(text: str) -> str:
        if len(text) * 4 <= limit or len(data := text.encode(errors="replace")) <= limit:
            return text
        return data[:limit].decode(errors="ignore")

    return cut


def _to_characters(limit: int) -> Callable[[str], str]:
    return lambda text: text[:limit]


def _part(name: str, cut: Callable[[str], str], ignore_missing: bool) -> Processor:
    get, put = field_getter(name), field_setter(name)

    def run(document: Document) -> Document:
        value = get(document)
        if value is None:
            if ignore_missing:
                return document
            raise ProcessorFailed(f"there is no field {name}")
        if not isinstance(value, str):
            raise ProcessorFailed(f"{name} is no text")
        text = cut(value)
        return document if len(text) == len(value) else put(document, text)

    return run
