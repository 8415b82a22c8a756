"""One row of the table of options."""

import enum

import msgspec

from connbeat.config.kinds import Anything, Kind


class Status(enum.Enum):
    """What setting an option leads to."""

    USED = "used"
    ALIAS = "another option's value, under the name it had or has elsewhere"
    REFUSED = "not built yet; refused, because ignoring it would change what is delivered"
    OBSOLETE = "has no meaning any more; accepted with a warning"


class Option(msgspec.Struct, frozen=True):
    """One row. `text` is the description; of what is not used, what applies instead.

    An alias sets the option `stands_for`; its kind is that option's. `required` says what is
    missing where a section is on and the option is not set.
    """

    key: str
    kind: Kind
    text: str
    status: Status = Status.USED
    stands_for: str = ""
    required: str = ""


def alias(key: str, stands_for: str) -> Option:
    return Option(key, Anything(), f"`{stands_for}`.", Status.ALIAS, stands_for)


def known(status: Status, text: str, prefix: str, names: str) -> tuple[Option, ...]:
    """Keys that are known and not looked into."""
    return tuple(Option(prefix + name, Anything(), text, status) for name in names.split())


def below(prefix: str, options: tuple[Option, ...]) -> tuple[Option, ...]:
    """The same options in the section `prefix`."""
    return tuple(
        msgspec.structs.replace(
            option,
            key=f"{prefix}.{option.key}",
            stands_for=f"{prefix}.{option.stands_for}" if option.stands_for else "",
        )
        for option in options
    )
