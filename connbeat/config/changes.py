"""What differs between two configurations, by option. Pure."""

from collections.abc import Collection
from typing import Any

import msgspec

from connbeat.config.option import Status
from connbeat.config.options import OPTIONS, SECTIONS, attribute_of, section_of
from connbeat.config.outputs.registry import OUTPUTS
from connbeat.config.schema import Settings


def changed_options(old: Settings, new: Settings) -> tuple[str, ...]:
    """The keys whose values differ, in the order of the table.

    An output that came or went is told as `output.NAME.enabled` alone.
    """
    switched = [
        f"output.{name}.enabled"
        for name in OUTPUTS
        if (name in old.outputs) != (name in new.outputs)
    ]
    return (*(key for key in _comparable() if _differs(key, old, new)), *switched)


def with_changes(old: Settings, new: Settings, keys: Collection[str]) -> Settings:
    """`old`, with the values that `new` has of these options; an output is taken as a whole."""
    settings = old
    for key in keys:
        if key.startswith("output."):
            name = key.split(".")[1]
            outputs = {**settings.outputs, name: new.outputs[name]}
            settings = msgspec.structs.replace(settings, outputs=outputs)
        else:
            settings = _with_value(settings, key, _value(new, key))
    return settings


def _comparable() -> list[str]:
    """`output.*.enabled` has no value: the output is there or not."""
    used = [key for key, option in OPTIONS.items() if option.status is Status.USED]
    return [key for key in used if not _is_switch(key)]


def _is_switch(key: str) -> bool:
    group, _, *rest = (*key.split("."), "")
    return group == "output" and rest[:-1] in (["enabled"], ["ssl", "enabled"])


def _differs(key: str, old: Settings, new: Settings) -> bool:
    if key.startswith("output."):
        name = key.split(".")[1]
        if name not in old.outputs or name not in new.outputs:
            return False
    return _value(old, key) != _value(new, key)


def _value(settings: Settings, key: str) -> object:
    option = OPTIONS[key]
    return getattr(_section(settings, section_of(option)), attribute_of(option), None)


def _section(settings: Settings, name: str) -> Any:  # noqa: ANN401  one of a dozen Structs
    if not name:
        return settings
    if not name.startswith("output."):
        return getattr(settings, _field_of(name))
    _, output, *rest = name.split(".")
    section: Any = settings.outputs[output]
    for below in rest:  # `ssl`, None where it is absent
        section = getattr(section, below, None)
    return section


def _with_value(settings: Settings, key: str, value: object) -> Settings:
    option = OPTIONS[key]
    name = section_of(option)
    changed = msgspec.structs.replace(_section(settings, name), **{attribute_of(option): value})
    if not name:
        return changed  # type: ignore[no-any-return]  # the section "" is the settings
    return msgspec.structs.replace(settings, **{_field_of(name): changed})


def _field_of(section: str) -> str:
    assert section in SECTIONS
    return section.replace(".", "_")
