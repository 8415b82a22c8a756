"""convert: values of another type, in their place or under another name."""

import ipaddress
import math
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from connbeat.model.documents import Document, field_getter
from connbeat.processors.fields import as_text, field_remover, field_setter
from connbeat.processors.moves import in_order
from connbeat.processors.protocol import Processor, ProcessorConfig, ProcessorFailed, Services

#: "" leaves the type alone.
Type = Literal["", "integer", "long", "float", "double", "string", "boolean", "ip"]
Mode = Literal["copy", "rename"]

_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """`to` "" is in place."""

    from_: str
    to: str = ""
    type: Type = ""


class ConvertConfig(ProcessorConfig, frozen=True, kw_only=True):
    """Conversions, done in their order."""

    fields: tuple[Conversion, ...] = ()
    ignore_missing: bool = False
    fail_on_error: bool = True
    mode: Mode = "copy"


def build(config: ConvertConfig, _services: Services) -> Processor:
    parts = tuple(_part(conversion, config) for conversion in config.fields)
    return in_order(parts, fail_on_error=config.fail_on_error)


def _part(conversion: Conversion, config: ConvertConfig) -> Processor:
    source, target = conversion.from_, conversion.to or conversion.from_
    get, put, remove = field_getter(source), field_setter(target), field_remover(source)
    convert = _CONVERSIONS[conversion.type]
    is_rename = config.mode == "rename" and target != source

    def run(document: Document) -> Document:
        value = get(document)
        if value is None:
            if config.ignore_missing:
                return document
            raise ProcessorFailed(f"there is no field {source}")
        try:
            converted = convert(value)
        except (ValueError, OverflowError) as error:
            text = f"{source} is {value!r}, which cannot be {conversion.type}"
            raise ProcessorFailed(text) from error
        if is_rename:
            document = remove(document)
        return put(document, converted)

    return run


def _integer(bits: int) -> Callable[[Any], int]:
    limit = 1 << (bits - 1)

    def convert(value: object) -> int:
        if isinstance(value, str):
            number = int(value, 16) if value.lower().startswith(("0x", "-0x")) else int(value)
        else:
            number = int(_number(value))
        if not -limit <= number < limit:
            raise ValueError(f"outside {bits} bits")
        return number

    return convert


def _float(value: object) -> float:
    number = float(value) if isinstance(value, str) else float(_number(value))
    if not math.isfinite(number):  # JSON has no such number
        raise ValueError("not finite")
    return number


def _number(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("no number")  # noqa: TRY004  a fact about an event
    return value


def _string(value: object) -> str:
    text = as_text(value)
    if text is None:
        raise ValueError("no single value")
    return text


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value not in _TRUE | _FALSE:
        raise ValueError("neither true nor false")
    return value in _TRUE


def _ip(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")  # noqa: TRY004  a fact about an event
    ipaddress.ip_address(value)
    return str(value)


_CONVERSIONS: dict[Type, Callable[[Any], Any]] = {
    "": lambda value: value,
    "integer": _integer(32),
    "long": _integer(64),
    "float": _float,
    "double": _float,
    "string": _string,
    "boolean": _boolean,
    "ip": _ip,
}
