"""Options of `output.console`."""

from connbeat.config.kinds import Boolean
from connbeat.config.option import Option, alias

OPTIONS: tuple[Option, ...] = (
    Option("enabled", Boolean(), "Write events to stdout. On when no output is configured."),
    Option("pretty", Boolean(), "Indent the JSON: one event on many lines."),
    alias("codec.json.pretty", "pretty"),
)
