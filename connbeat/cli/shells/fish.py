"""Completion in fish. Pure."""

from collections.abc import Iterator

from connbeat.cli.flags import Flag
from connbeat.cli.shells.offers import Offers, filled, quoted

_SCRIPT = r"""# fish completion of connbeat @VERSION@, made by `connbeat completion fish`

function __connbeat_words
    set -l skip ""
    set -l found
    for word in (commandline -opc)[2..-1]
        if test -n "$skip"
            set skip ""
        else if contains -- $word @VALUED@
            set skip yes
        else if not string match -q -- '-*' $word
            set -a found $word
        end
    end
    string join ' ' -- $found
end

function __connbeat_after
    set -l words (__connbeat_words)
    test "$words" = "$argv[1]"
end

function __connbeat_is
    set -l words (__connbeat_words)
    contains -- "$words" $argv
end

complete -c connbeat -f
@FLAGS@
@WORDS@
"""


def fish_script(offers: Offers) -> str:
    flags = (*offers.flags, *offers.more_flags)
    lines = [f"complete -c connbeat {_flag(flag, offers)}" for flag in offers.flags]
    for flag in offers.more_flags:
        names = " ".join(f'"{name}"' for name in offers.commands_with(flag))
        condition = quoted(f"__connbeat_is {names}")
        lines.append(f"complete -c connbeat -n {condition} {_flag(flag, offers)}")
    words = [
        f"complete -c connbeat -n {quoted(after)} -a {name} -d {quoted(text)}"
        for after, name, text in _rows(offers)
    ]
    return filled(
        _SCRIPT,
        VERSION=offers.version,
        VALUED=" ".join(name for flag in flags if flag.has_value for name in flag.names),
        FLAGS="\n".join(lines),
        WORDS="\n".join(words),
    )


def _rows(offers: Offers) -> Iterator[tuple[str, str, str]]:
    for so_far, names in offers.words().items():
        for name, text in names.items():
            yield f'__connbeat_after "{so_far}"', name, text


def _flag(flag: Flag, offers: Offers) -> str:
    names = " ".join(
        f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in flag.names
    )
    return f"{names}{_values(flag, offers)} -d {quoted(flag.text)}"


def _values(flag: Flag, offers: Offers) -> str:
    match flag.offer:
        case "file":
            return " -r -F"
        case "directory":
            return " -x -a '(__fish_complete_directories)'"
        case "setting":
            return f" -x -a {quoted(' '.join(f'{key}=' for key in offers.settings))}"
        case "selector":
            return f" -x -a {quoted(' '.join(offers.selectors))}"
        case "":
            choices = f" -a {quoted(' '.join(flag.choices))}" if flag.choices else ""
            return f" -x{choices}" if flag.has_value else ""
