"""Tags at the end of a list of tags."""

from collections.abc import Callable

from connbeat.model.documents import Document, field_getter
from connbeat.processors.fields import field_setter
from connbeat.processors.protocol import ProcessorFailed


def tagger(tags: tuple[str, ...], target: str = "tags") -> Callable[[Document], Document]:
    """Adds them. It raises ProcessorFailed where the target is something else than texts."""
    get, put = field_getter(target), field_setter(target)

    def add(document: Document) -> Document:
        known = get(document)
        if known is None:
            return put(document, [*tags])
        if isinstance(known, str):
            return put(document, [known, *tags])
        if isinstance(known, list | tuple):
            return put(document, [*known, *tags])
        raise ProcessorFailed(f"{target} is no list")

    return add
