"""Completion in bash. Pure."""

from connbeat.cli.flags import Flag
from connbeat.cli.shells.offers import Offers, filled

_SCRIPT = r"""# bash completion of connbeat @VERSION@, made by `connbeat completion bash`

_connbeat_words() {
    local i word words="" skip=""
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ -n $skip ]]; then
            [[ $word == "=" ]] || skip=""
            continue
        fi
        case $word in
            @VALUED@) skip=yes ;;
            =) skip=yes ;;
            -*) ;;
            *) words+="${words:+ }$word" ;;
        esac
    done
    printf '%s' "$words"
}

_connbeat() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words offer="" flags
    # bash splits --flag=value into three words
    if [[ $cur == "=" ]]; then
        cur=""
    elif [[ $prev == "=" ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    words=$(_connbeat_words)
    COMPREPLY=()
    case $prev in
@VALUES@
    esac
    if [[ $cur == -* ]]; then
        flags="@FLAGS@"
        case $words in
@MORE_FLAGS@
        esac
        mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$cur")
        return
    fi
    case $words in
@WORDS@
    esac
    mapfile -t COMPREPLY < <(compgen -W "$offer" -- "$cur")
}

complete -F _connbeat connbeat
"""
_FILES = 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen {} -- "$cur"); return'
_LIST = 'mapfile -t COMPREPLY < <(compgen {} -W "{}" -- "$cur"); return'


def bash_script(offers: Offers) -> str:
    flags = (*offers.flags, *offers.more_flags)
    values = [
        f"        {'|'.join(flag.names)}) {_values(flag, offers)} ;;"
        for flag in flags
        if flag.has_value
    ]
    more = [
        f'            {_case(offers.commands_with(flag))}) flags+=" {" ".join(flag.names)}" ;;'
        for flag in offers.more_flags
    ]
    words = [
        f'        "{so_far}") offer="{" ".join(names)}" ;;'
        for so_far, names in offers.words().items()
    ]
    return filled(
        _SCRIPT,
        VERSION=offers.version,
        VALUED="|".join(name for flag in flags if flag.has_value for name in flag.names),
        VALUES="\n".join(values),
        FLAGS=" ".join(name for flag in offers.flags for name in flag.names),
        MORE_FLAGS="\n".join(more),
        WORDS="\n".join(words),
    )


def _values(flag: Flag, offers: Offers) -> str:
    match flag.offer:
        case "file":
            return _FILES.format("-f")
        case "directory":
            return _FILES.format("-d")
        case "setting":
            return "compopt -o nospace; " + _LIST.format("-S =", " ".join(offers.settings))
        case "selector":
            return _LIST.format("", " ".join(offers.selectors))
        case "":
            return _LIST.format("", " ".join(flag.choices)) if flag.choices else "return"


def _case(words: list[str]) -> str:
    return "|".join(f'"{word}"' for word in words)
