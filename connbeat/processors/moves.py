"""What `rename` and `copy_fields` have in common: fields that go to other names."""

from collections.abc import Sequence

import msgspec

from connbeat.model.documents import Document, field_getter
from connbeat.processors.fields import field_remover, field_setter
from connbeat.processors.protocol import Processor, ProcessorConfig, ProcessorFailed


class FieldPair(msgspec.Struct, frozen=True, kw_only=True):
    """From one name to another."""

    from_: str
    to: str


class MovesConfig(ProcessorConfig, frozen=True, kw_only=True):
    """Pairs, taken in their order."""

    fields: tuple[FieldPair, ...] = ()
    ignore_missing: bool = False
    fail_on_error: bool = True


def build_moves(config: MovesConfig, *, is_copy: bool) -> Processor:
    """A name that is taken is an error: nothing is overwritten."""
    moves = tuple(
        _move(pair, is_copy=is_copy, ignore_missing=config.ignore_missing) for pair in config.fields
    )
    return in_order(moves, fail_on_error=config.fail_on_error)


def in_order(parts: Sequence[Processor], *, fail_on_error: bool) -> Processor:
    """All of them, one after another.

    One that fails ends it and undoes the others, or, without `fail_on_error`, costs only itself.
    """

    def run(document: Document) -> Document | None:
        result: Document | None = document
        for part in parts:
            if result is None:
                return None
            try:
                result = part(result)
            except ProcessorFailed:
                if fail_on_error:
                    raise
        return result

    return run


def _move(pair: FieldPair, *, is_copy: bool, ignore_missing: bool) -> Processor:
    get, taken = field_getter(pair.from_), field_getter(pair.to)
    put, remove = field_setter(pair.to), field_remover(pair.from_)

    def move(document: Document) -> Document:
        value = get(document)
        if value is None:
            if ignore_missing:
                return document
            raise ProcessorFailed(f"there is no field {pair.from_}")
        # Taken away first: `a` may become `a.b`.
        source = document if is_copy else remove(document)
        if taken(source) is not None:
            raise ProcessorFailed(f"there is a field {pair.to} already")
        return put(source, value)

    return move
