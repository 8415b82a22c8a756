"""decode_json_fields: texts that are JSON become what they say."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from connbeat.model.documents import Document, field_getter
from connbeat.processors.fields import KEPT, field_setter, merged
from connbeat.processors.protocol import Processor, ProcessorConfig, ProcessorFailed, Services

_decode = msgspec.json.Decoder().decode


class DecodeJsonFieldsConfig(ProcessorConfig, frozen=True, kw_only=True):
    """`target` None is where the text was, "" the top of the document."""

    fields: tuple[str, ...] = ()
    process_array: bool = False
    max_depth: int = 1
    target: str | None = None
    overwrite_keys: bool = False
    expand_keys: bool = False
    add_error_key: bool = False


def build(config: DecodeJsonFieldsConfig, _services: Services) -> Processor:
    parts = tuple((name, _part(name, config)) for name in config.fields)

    def run(document: Document) -> Document:
        """A field that fails costs itself only."""
        failure = ""
        for name, part in parts:
            try:
                document = part(document)
            except ProcessorFailed as failed:
                failure = str(failed)
                if config.add_error_key:
                    error = {"message": failure, "type": "json", "field": name}
                    document = {**document, "error": error}
        if failure:
            raise ProcessorFailed(failure, document)
        return document

    return run


def _part(name: str, config: DecodeJsonFieldsConfig) -> Callable[[Document], Document]:
    get = field_getter(name)
    put = field_setter(config.target or name)

    def run(document: Document) -> Document:
        text = get(document)
        if text is None:
            return document
        value = _value(text, name, config)
        if isinstance(value, list) and not config.process_array:
            return document
        if config.target != "":
            return put(document, value)
        if not isinstance(value, dict):
            raise ProcessorFailed(f"{name} is no JSON object, so it cannot be merged")
        return _with_keys(document, value, config.overwrite_keys)

    return run


def _value(text: object, name: str, config: DecodeJsonFieldsConfig) -> Any:  # noqa: ANN401  any JSON
    if not isinstance(text, str):
        raise ProcessorFailed(f"{name} is no text")
    try:
        value = _decode(text.encode())
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise ProcessorFailed(f"{name} is no JSON: {error}") from error
    value = _deeper(value, config.max_depth - 1, with_lists=config.process_array)
    return _expanded(value) if config.expand_keys else value


def _deeper(value: Any, depth: int, *, with_lists: bool) -> Any:  # noqa: ANN401  any JSON
    """Texts in a decoded object (or list) that are objects themselves, so many levels deep."""
    if depth <= 0:
        return value
    if isinstance(value, dict):
        return {key: _decoded(one, depth, with_lists) for key, one in value.items()}
    if isinstance(value, list) and with_lists:
        return [_decoded(one, depth, with_lists) for one in value]
    return value


def _decoded(value: Any, depth: int, with_lists: bool) -> Any:  # noqa: ANN401  any JSON
    if not isinstance(value, str) or not value.lstrip().startswith(
        ("{", "[") if with_lists else "{"
    ):
        return value
    try:
        inside = _decode(value.encode())
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return value
    return _deeper(inside, depth - 1, with_lists=with_lists)


def _expanded(value: Any) -> Any:  # noqa: ANN401  any JSON
    """Keys with dots to sections in sections."""
    if isinstance(value, list):
        return [_expanded(one) for one in value]
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    for key, one in value.items():
        above: Any = _expanded(one)
        for name in reversed(key.split(".")):
            above = {name: above}
        result = merged(result, above)
    return result


def _with_keys(document: Document, keys: Mapping[str, Any], overwrite: bool) -> Document:
    """What every event keeps is nobody's to overwrite: the time has its own meaning to outputs."""
    keys = {key: value for key, value in keys.items() if key not in KEPT}
    return merged(document, keys) if overwrite else {**document, **merged(keys, document)}
