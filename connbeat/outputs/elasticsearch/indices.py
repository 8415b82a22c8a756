"""What is wanted of indices; apart from `template`, which loads the catalogue of fields. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from connbeat.model.schemas import SchemaName


class TemplateWish(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says of the template; `policy` "" is no lifecycle policy."""

    pattern: str
    schema: SchemaName = "connbeat"
    is_data_stream: bool = False
    policy: str = ""
    settings: Mapping[str, Any] = {}


def pattern_of(index: str) -> str:
    """What an `index` with format strings can become, as a pattern: `connbeat-*`.

    "" where nothing fixed begins it: such a template would be everybody's.
    """
    pattern = ""
    rest = index
    while rest:
        text, found, rest = rest.partition("%{")
        pattern += text.replace("\\", "")
        if found:
            pattern = pattern.rstrip("*") + "*"
            rest = rest.partition("}")[2]
    return "" if pattern.startswith("*") else pattern
