"""The table of options as Markdown, for `docs/configuration.md`. Pure."""

from collections.abc import Iterable, Iterator

from connbeat.config.options import LATER_OUTPUTS, OPTIONS, Option, Status, default_of

_SILENT_DEFAULTS: tuple[object, ...] = (None, "", (), {})


def option_tables() -> str:
    """What stands between the markers of the page; a test compares."""
    used = [option for option in OPTIONS.values() if option.status is Status.USED]
    later = [f"output.{name}." for name in LATER_OUTPUTS]
    others = [
        option
        for option in OPTIONS.values()
        if option.status is not Status.USED and not option.key.startswith(tuple(later))
    ]
    parts = [
        _table(("key", "type", "default", "meaning"), map(_used_row, used)),
        "### Known, but without effect in this version\n",
        _table(("key", "setting it is", "because"), _other_rows(others)),
        "### Outputs to come\n",
        "Their keys are known and checked for spelling; switching such an output on is an error.\n",
        "\n".join(f"- `{prefix[:-1]}`: {_names(prefix)}" for prefix in later),
    ]
    return "\n".join(parts) + "\n"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _used_row(option: Option) -> tuple[str, ...]:
    default = default_of(option)
    shown = "" if default in _SILENT_DEFAULTS else f"`{option.kind.show(default)}`"
    return f"`{option.key}`", option.kind.name, shown, option.text


def _other_rows(options: Iterable[Option]) -> Iterator[tuple[str, ...]]:
    """One row for the keys that share a reason."""
    groups: dict[tuple[Status, str], list[str]] = {}
    for option in options:
        groups.setdefault((option.status, option.text), []).append(f"`{option.key}`")
    for (status, text), keys in groups.items():
        result = "an error" if status is Status.REFUSED else "a warning"
        yield ", ".join(keys), result, text


def _names(prefix: str) -> str:
    names = [key.removeprefix(prefix) for key in OPTIONS if key.startswith(prefix)]
    return ", ".join(f"`{name}`" for name in names)
