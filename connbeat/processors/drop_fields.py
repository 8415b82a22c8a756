"""drop_fields: the event goes on without some fields.

`@timestamp` and `type` stay, whoever names them. `/pattern/` drops every field whose whole dotted
name has a match in it.
"""

import functools
import re
from collections.abc import Callable

from connbeat.model.documents import Document
from connbeat.processors.fields import KEPT, Remover, field_remover, flattened
from connbeat.processors.protocol import Processor, ProcessorConfig, ProcessorFailed, Services

_Drop = Callable[[Document], Document]

_REMEMBERED = 4096


class DropFieldsConfig(ProcessorConfig, frozen=True, kw_only=True):
    """Names, and patterns between slashes."""

    fields: tuple[str, ...] = ()
    ignore_missing: bool = False


def pattern_of(field: str) -> re.Pattern[str] | None:
    """The pattern between the slashes; None for a name. Raises re.error."""
    is_pattern = len(field) > 2 and field.startswith("/") and field.endswith("/")
    return re.compile(field[1:-1]) if is_pattern else None


def build(config: DropFieldsConfig, _services: Services) -> Processor:
    patterns = tuple(filter(None, map(pattern_of, config.fields)))
    names = [name for name in config.fields if name not in KEPT and pattern_of(name) is None]
    drop_names = _by_name(tuple(names), ignore_missing=config.ignore_missing)
    if not patterns:
        return drop_names
    drop_matches = _by_pattern(patterns)
    return lambda document: drop_names(drop_matches(document))


def _by_name(names: tuple[str, ...], *, ignore_missing: bool) -> _Drop:
    removers = tuple((name, field_remover(name)) for name in names)

    def drop(document: Document) -> Document:
        """One that is missing keeps none of the others."""
        missing = ""
        for name, remove in removers:
            without = remove(document)
            if without is document:
                missing = name
            document = without
        if missing and not ignore_missing:
            raise ProcessorFailed(f"there is no field {missing}", document)
        return document

    return drop


def _by_pattern(patterns: tuple[re.Pattern[str], ...]) -> _Drop:
    # Events have the same names again and again.
    @functools.lru_cache(maxsize=_REMEMBERED)
    def remover(name: str) -> Remover | None:
        is_match = name not in KEPT and any(pattern.search(name) for pattern in patterns)
        return field_remover(name) if is_match else None

    def drop(document: Document) -> Document:
        for name, _ in flattened(document):
            remove = remover(name)
            if remove is not None:
                document = remove(document)
        return document

    return drop
