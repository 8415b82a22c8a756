"""Completion in zsh. Pure."""

from connbeat.cli.flags import Flag
from connbeat.cli.shells.offers import Offers, filled, quoted

_SCRIPT = r"""#compdef connbeat
# zsh completion of connbeat @VERSION@, made by `connbeat completion zsh`

_connbeat_settings() {
    local -a settings=(@SETTINGS@)
    compadd -S = -a settings
}

_connbeat() {
    local context state state_descr line
    local -a flags offer
    typeset -A opt_args
    flags=(
@FLAGS@
    )
    case "$(_connbeat_words)" in
@MORE_FLAGS@
    esac
    _arguments -s : $flags '*: :->word' && return
    [[ $state == word ]] || return 1
    case "$(_connbeat_words)" in
@WORDS@
    esac
    _describe -t commands 'connbeat command' offer
}

_connbeat_words() {
    local word skip="" found=""
    for word in ${words[2,CURRENT - 1]}; do
        if [[ -n $skip ]]; then
            skip=""
        elif [[ $word == (@VALUED@) ]]; then
            skip=yes
        elif [[ $word != -* ]]; then
            found+="${found:+ }$word"
        fi
    done
    print -r -- $found
}

if [[ $funcstack[1] == _connbeat ]]; then
    _connbeat "$@"
else
    compdef _connbeat connbeat
fi
"""


def zsh_script(offers: Offers) -> str:
    flags = (*offers.flags, *offers.more_flags)
    more = [
        f"        ({_case(offers.commands_with(flag))}) flags+=({_flag(flag, offers)}) ;;"
        for flag in offers.more_flags
    ]
    words = []
    for so_far, names in offers.words().items():
        rows = " ".join(quoted(f"{name}:{text}") for name, text in names.items())
        words.append(f"        ({quoted(so_far)}) offer=({rows}) ;;")
    return filled(
        _SCRIPT,
        VERSION=offers.version,
        SETTINGS=" ".join(offers.settings),
        FLAGS="\n".join(f"        {_flag(flag, offers)}" for flag in offers.flags),
        MORE_FLAGS="\n".join(more),
        WORDS="\n".join(words),
        VALUED="|".join(name for flag in flags if flag.has_value for name in flag.names),
    )


def _flag(flag: Flag, offers: Offers) -> str:
    text = flag.text.replace("[", r"\[").replace("]", r"\]").replace(":", r"\:")
    specs = []
    for name in flag.names:
        begin = "*" if flag.is_repeatable else "({})".format(" ".join(flag.names))
        equals = "=" if flag.has_value and name.startswith("--") else ""
        specs.append(quoted(f"{begin}{name}{equals}[{text}]{_values(flag, offers)}"))
    return " ".join(specs)


def _values(flag: Flag, offers: Offers) -> str:
    actions = {
        "file": "_files",
        "directory": "_files -/",
        "setting": "_connbeat_settings",
        "selector": f"({' '.join(offers.selectors)})",
    }
    if not flag.has_value:
        return ""
    action = f"({' '.join(flag.choices)})" if flag.choices else actions.get(flag.offer, " ")
    return f":{flag.metavar or flag.names[0].lstrip('-')}:{action}"


def _case(words: list[str]) -> str:
    return "|".join(quoted(word) for word in words)
