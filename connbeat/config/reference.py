"""The table of options as Markdown, for `docs/configuration.md`. Pure."""

from collections.abc import Iterable, Iterator

import msgspec

from connbeat.config.option import Option, Status, below
from connbeat.config.options import OPTIONS, default_of
from connbeat.config.outputs.common import COMMON, NETWORK
from connbeat.config.outputs.registry import OUTPUTS
from connbeat.outputs.configuration import NetworkOutputConfig, OutputConfig
from connbeat.outputs.tls_policy import TlsPolicy

_SILENT_DEFAULTS: tuple[object, ...] = (None, "", (), {})
_HEADS = ("key", "type", "default", "meaning")
#: What all outputs have, as they have it unless their own table says otherwise.
_SHARED = {option.key: option for option in (*COMMON, *NETWORK)}


def option_tables() -> str:
    """What stands between the markers of the page; a test compares."""
    outputs = tuple(f"output.{name}." for name in OUTPUTS)
    general = [
        option
        for option in OPTIONS.values()
        if option.status in (Status.USED, Status.ALIAS) and not option.key.startswith(outputs)
    ]
    others = [
        option
        for option in (*OPTIONS.values(), *below("output.*", (*COMMON, *NETWORK)))
        if option.status not in (Status.USED, Status.ALIAS) and not _is_shared(option)
    ]
    parts = [
        _table(_HEADS, map(_row, general)),
        "### Every output\n",
        _table(_HEADS, _shared_rows(COMMON, OutputConfig)),
        "### Every output on the network\n",
        _table(_HEADS, _shared_rows(NETWORK, NetworkOutputConfig)),
        *(part for name in OUTPUTS for part in _output(name)),
        "### Known, but without effect in this version\n",
        _table(("key", "setting it is", "because"), _other_rows(others)),
    ]
    return "\n".join(parts) + "\n"


def _output(name: str) -> Iterator[str]:
    """The options that are an output's own, and the shared ones whose default is."""
    prefix = f"output.{name}."
    options = [option for key, option in OPTIONS.items() if key.startswith(prefix)]
    own = [option for option in options if _is_own(option)]
    rows = [_row(option) for option in own if option.status is Status.USED]
    rows += [_row(option) for option in own if option.status is Status.ALIAS]
    yield f"### `output.{name}`\n"
    yield _table(_HEADS, rows)


def _is_shared(option: Option) -> bool:
    """Whether it is a shared option as an output has it; `output.*.` stands for all."""
    _, name, key = (*option.key.split(".", 2), "", "")[:3]
    return name in OUTPUTS and _SHARED.get(key) is not None and _SHARED[key].text == option.text


def _is_own(option: Option) -> bool:
    _, name, key = option.key.split(".", 2)
    if not _is_shared(option):
        return True
    config = NetworkOutputConfig if issubclass(OUTPUTS[name][0], NetworkOutputConfig) else None
    return option.status is Status.USED and default_of(option) != _shared_default(
        key, config or OutputConfig
    )


def _shared_rows(
    options: Iterable[Option], config: type[OutputConfig]
) -> Iterator[tuple[str, ...]]:
    for option in options:
        key = f"`output.*.{option.key}`"
        if option.status is Status.USED:
            yield (
                key,
                option.kind.name,
                _shown(option, _shared_default(option.key, config)),
                (option.text),
            )
        elif option.status is Status.ALIAS:
            yield key, "", "", f"Another name of `output.*.{option.stands_for}`."


def _shared_default(key: str, config: type[OutputConfig]) -> object:
    struct: type[msgspec.Struct] = config
    if key.startswith("ssl."):
        struct, key = TlsPolicy, key.removeprefix("ssl.")
    names = (key.replace(".", "_"), key.replace(".", "_") + "_seconds")
    for field in msgspec.structs.fields(struct):
        if field.name in names:
            return field.default
    return None


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _row(option: Option) -> tuple[str, ...]:
    if option.status is Status.ALIAS:
        return f"`{option.key}`", "", "", f"Another name of `{option.stands_for}`."
    return f"`{option.key}`", option.kind.name, _shown(option, default_of(option)), option.text


def _shown(option: Option, default: object) -> str:
    return "" if default in _SILENT_DEFAULTS else f"`{option.kind.show(default)}`"


def _other_rows(options: Iterable[Option]) -> Iterator[tuple[str, ...]]:
    """One row for the keys that share a reason."""
    groups: dict[tuple[Status, str], list[str]] = {}
    for option in options:
        groups.setdefault((option.status, option.text), []).append(f"`{option.key}`")
    for (status, text), keys in groups.items():
        result = "an error" if status is Status.REFUSED else "a warning"
        yield ", ".join(keys), result, text
