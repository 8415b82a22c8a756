"""The tables of options in `docs/processors.md`. Pure."""

import re

from connbeat.config.option import Option
from connbeat.config.processors.declared import COMMON, Declared
from connbeat.config.processors.registry import PROCESSORS
from connbeat.config.processors.sections import shown_default
from connbeat.processors.protocol import ProcessorConfig

#: In the page, a table stands between these two lines.
_BLOCK = re.compile(r"(<!-- options of (\w+) -->\n).*?(<!-- end of options -->)", re.DOTALL)
_HEAD = "| option | type | default | meaning |\n| --- | --- | --- | --- |\n"


def with_tables(page: str) -> str:
    """The page with the tables of this version: of each processor, and of what all have."""
    return _BLOCK.sub(lambda block: f"{block[1]}\n{_table(block[2])}\n{block[3]}", page)


def _table(name: str) -> str:
    shown = Declared(ProcessorConfig, COMMON) if name == "all" else PROCESSORS[name]
    return _HEAD + "".join(_row(option, shown.config) for option in shown.options)


def _row(option: Option, config: type[ProcessorConfig]) -> str:
    default = shown_default(option, config)
    shown = "required" if option.required else f"`{default}`" if default else ""
    return f"| `{option.key}` | {option.kind.name} | {shown} | {option.text} |\n"
