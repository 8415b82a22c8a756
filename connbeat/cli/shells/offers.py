"""What can be completed, and what all scripts share. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from connbeat.cli.commands import Command
from connbeat.cli.flags import Flag


class Offers(NamedTuple):
    """All that can be offered. `settings` are the keys of `-E`, `selectors` the values of `-d`."""

    version: str
    commands: Mapping[str, Command]
    flags: tuple[Flag, ...]
    more_flags: tuple[Flag, ...]
    settings: tuple[str, ...]
    selectors: tuple[str, ...]

    def words(self) -> dict[str, dict[str, str]]:
        """What may follow the words so far, each with what it is. `help` is followed by all."""
        found: dict[str, dict[str, str]] = {"": {}}
        for name, command in self.commands.items():
            first, _, second = name.partition(" ")
            if second:
                found.setdefault(first, {})[second] = command.text
            found[""].setdefault(first, command.text)
        for first, seconds in found.items():
            if first:
                found[""][first] = f"{', '.join(seconds)}"
        return found | {f"help {first}".strip(): seconds for first, seconds in found.items()}

    def commands_with(self, flag: Flag) -> list[str]:
        return [name for name, command in self.commands.items() if flag.names[0] in command.flags]


def quoted(text: str) -> str:
    """In single quotes, as all three shells read them; an apostrophe becomes a typographic one."""
    return "'" + text.replace("'", "\u2019") + "'"


def filled(template: str, **parts: str) -> str:
    """The template with each `@NAME@` replaced."""
    for name, text in parts.items():
        template = template.replace(f"@{name}@", text)
    return template
