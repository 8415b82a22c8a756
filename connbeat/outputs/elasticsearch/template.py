"""The index template, from the one catalogue of fields, and the lifecycle policy. Pure.

No event is to be refused for its values: numbers, dates and addresses that are none are left out of
the index and stay in the document; labels, ports and the user's `fields` are `flattened`, so that
neither dots nor types in them clash; text beyond what Lucene takes as one term is not indexed. What
the catalogue does not know becomes a runtime field: searchable, and of any type at any time.
"""

from collections.abc import Mapping
from typing import Any

import connbeat
from connbeat.model.catalogue import fields_of
from connbeat.model.fields import FieldType
from connbeat.model.schemas import SchemaName
from connbeat.outputs.elasticsearch.indices import TemplateWish

Version = tuple[int, ...]

OLDEST: Version = (7, 17)

# A term of Lucene has at most 32766 bytes, a character of UTF-8 at most 4.
_TERM_CHARACTERS = 8191
# A flattened field's term is the key and the value: this leaves 28 KB for the key.
_FLAT_CHARACTERS = 1024

_KEYWORD = {"type": "keyword", "ignore_above": _TERM_CHARACTERS}
_ADDRESS = {"type": "ip", "ignore_malformed": True}
_FLAT = {"type": "flattened", "ignore_above": _FLAT_CHARACTERS}
_MAPPINGS: dict[FieldType, dict[str, Any]] = {
    FieldType.KEYWORD: _KEYWORD,
    FieldType.STRINGS: _KEYWORD,
    FieldType.IP: _ADDRESS,
    FieldType.IPS: _ADDRESS,
    FieldType.INTEGER: {"type": "long", "ignore_malformed": True},
    FieldType.NUMBER: {"type": "double", "ignore_malformed": True},
    FieldType.DATE: {"type": "date", "ignore_malformed": True},
    FieldType.LABELS: _FLAT,
    FieldType.PORTS: _FLAT,
    FieldType.ANY: _FLAT,
}
_TIMESTAMP = "@timestamp"
_SETTINGS = {"index.refresh_interval": "5s", "index.mapping.total_fields.limit": 10_000}
# Above the templates that Elasticsearch has for `logs-*-*` (100). `connbeat-*`, for those who have
# both schemas, fits the indices of both: the template that says more of the name wins.
_PRIORITIES: dict[SchemaName, int] = {"connbeat": 150, "ecs": 151}
_IGNORES_FIELDS_BEYOND_LIMIT = (8, 14)


def index_template(wish: TemplateWish, version: Version) -> dict[str, Any]:
    """The body of `PUT _index_template/NAME` (composable, without types) for this version."""
    settings: dict[str, Any] = dict(_SETTINGS)
    if version >= _IGNORES_FIELDS_BEYOND_LIMIT:
        settings["index.mapping.total_fields.ignore_dynamic_beyond_limit"] = True
    if wish.policy:
        settings["index.lifecycle.name"] = wish.policy
    settings |= flat_settings(wish.settings)
    template: dict[str, Any] = {
        "index_patterns": [wish.pattern],
        "priority": _PRIORITIES[wish.schema],
        "template": {"settings": settings, "mappings": mappings(wish.schema)},
        "_meta": {
            "managed_by": "connbeat",
            "version": connbeat.__version__,
            "schema": wish.schema,
        },
    }
    if wish.is_data_stream:
        template["data_stream"] = {}
    return template


def mappings(schema: SchemaName = "connbeat") -> dict[str, Any]:
    """Every field of the catalogue; objects of the path are objects.

    Where ECS says `wildcard` or `constant_keyword` it is `keyword`, of the same family: clusters
    without the commercial modules have neither, and a constant one refuses every other value.
    """
    properties: dict[str, Any] = {}
    for field in fields_of(schema):
        *parents, leaf = field.name.split(".")
        inside = properties
        for parent in parents:
            inside = inside.setdefault(parent, {"properties": {}})["properties"]
        inside[leaf] = dict(_MAPPINGS[field.type])
    properties.setdefault("fields", dict(_FLAT))  # where processors put the user's, in any schema
    # A data stream allows its time no leniency; we write it, so it is right.
    properties[_TIMESTAMP] = {"type": "date"}
    return {"dynamic": "runtime", "date_detection": False, "properties": properties}


def flat_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """`setup.template.settings`, nested or dotted, with or without `index`, as dotted names."""
    found = dict(_dotted("", settings))
    return {
        name if name.startswith("index.") else f"index.{name}": value
        for name, value in found.items()
    }


def _dotted(prefix: str, value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, inside in value.items():
        name = f"{prefix}{key}"
        found += _dotted(f"{name}.", inside) if isinstance(inside, Mapping) else [(name, inside)]
    return found


def lifecycle_policy(*, is_data_stream: bool) -> dict[str, Any]:
    """The body of `PUT _ilm/policy/NAME`, for a policy that is not there: nothing is deleted.

    A data stream has to roll over some time; an index a day does so by its name.
    """
    rollover = {"rollover": {"max_age": "30d", "max_primary_shard_size": "50gb"}}
    hot: dict[str, Any] = {"actions": rollover if is_data_stream else {}}
    return {"policy": {"phases": {"hot": hot}, "_meta": {"managed_by": "connbeat"}}}


def parse_version(text: str) -> Version:
    """`8.19.0` to (8, 19, 0), without what follows the numbers. Raises ValueError."""
    numbers = text.partition("-")[0].split(".")
    if not all(number.isascii() and number.isdigit() for number in numbers):
        raise ValueError(f"found {text!r}, expected a version such as 8.19.0")
    return tuple(int(number) for number in numbers)
