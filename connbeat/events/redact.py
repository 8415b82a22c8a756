"""Redact: mask what looks like a secret in arguments and environments.

Looks at names (`--password x`, `TOKEN=x`, `-H "Authorization: ..."`, `{"apiKey": "x"}`), at
credentials in URLs, and at the short options everybody knows (`curl -u`, `mysql -p`). A shell's
command line in one argument is looked through word by word.

Other people's processes choose these texts. So every pattern here takes time in proportion to the
text: names begin where no name's character stands before, and quantifiers do not give back.
"""

import functools
import re
from collections.abc import Iterable, Iterator

from connbeat.events.secret_names import is_secret_name

MASK = "xxxxx"

#: A name and what stands between it and its value, in JSON within a string also `\":\"`.
_pair = re.compile(r"(?<![\w.-])([\w.-]++)(\\*+[\"']?\s*+[=:]\s*+)")
_option = re.compile(r"-[\w.-]+")
_opening_quote = re.compile(r"\\*+[\"']")
_in_quotes = {
    '"': re.compile(r'(?:[^"\\]|\\.)*+', re.DOTALL),
    "'": re.compile(r"(?:[^'\\]|\\.)*+", re.DOTALL),
}
_bare_value = re.compile(
    r"(?:(?:basic|bearer|digest|negotiate|token)\s++)?[^\s&;,\"'}]*+", re.IGNORECASE
)
_user_info = re.compile(r"(?<=://)[^\s/?#\"'<>]*@")
_user_assignment = re.compile(r"^(--(?:proxy-)?user=[^:\s]*:).+", re.DOTALL)
_shell_word = re.compile(r"\s++|(?:\"[^\"]*\"|'[^']*'|\S)++")

_USER_OPTIONS = frozenset({"-u", "-U", "--user", "--proxy-user", "--auth"})
#: Programs (and the command `login` of many) with their short option for a password.
_PASSWORD_OPTIONS = {
    "ldapadd": "-w",
    "ldapmodify": "-w",
    "ldapsearch": "-w",
    "login": "-p",
    "mongo": "-p",
    "mongodump": "-p",
    "mongorestore": "-p",
    "mongosh": "-p",
    "redis-cli": "-a",
    "sshpass": "-p",
}
#: These take a password only if it stands in the same argument: `-psecret`.
_MYSQL = frozenset({"mariadb", "mariadb-admin", "mariadb-dump", "mysql", "mysqladmin", "mysqldump"})
#: `docker run --name mysql -p3306:3306` is no password.
_attached_password = re.compile(r"^-p(?!\d+:\d+).+", re.DOTALL)

#: Beyond, the answer is not kept: 1024 command lines of a megabyte each would be.
_CACHED_CHARACTERS = 16_384


def redact_arguments(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """The arguments with every value that looks secret replaced by `xxxxx`. Never raises."""
    is_small = sum(map(len, arguments)) <= _CACHED_CHARACTERS
    return _cached_arguments(arguments) if is_small else _redact_arguments(arguments)


def redact_environ(environ: tuple[str, ...]) -> tuple[str, ...]:
    """`NAME=value` entries, masked likewise. Never raises."""
    is_small = sum(map(len, environ)) <= _CACHED_CHARACTERS
    return _cached_environ(environ) if is_small else _redact_environ(environ)


def _redact_arguments(arguments: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_redact_words(arguments, is_shell=False))


def _redact_environ(environ: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(_redact_line, environ))


_cached_arguments = functools.lru_cache(maxsize=1024)(_redact_arguments)
_cached_environ = functools.lru_cache(maxsize=1024)(_redact_environ)


def _redact_words(words: Iterable[str], *, is_shell: bool) -> Iterator[str]:
    """The words of a command line; those of a shell's line have spaces in between."""
    program = ""
    hidden = ""
    for word in words:
        if is_shell and word.isspace():
            yield word
            continue
        was_hidden, hidden = hidden, ""
        # `--password --host db`: it will be asked for.
        if was_hidden == "secret" and not word.startswith("--"):
            yield MASK
        elif was_hidden == "user":
            yield _mask_user(word)
        else:
            name = word.rpartition("/")[2]
            if name in _PASSWORD_OPTIONS or name in _MYSQL or name == "curl":
                program = name
            hidden = _hides_next(word, program)
            attached = _redact_attached(word, program)
            yield attached or (_redact_text(word) if is_shell else _redact_line(word))


def _hides_next(word: str, program: str) -> str:
    """What the next word is: a "secret", a "user" with perhaps a password, or "" for neither."""
    if word == _PASSWORD_OPTIONS.get(program):
        return "secret"
    if word in _USER_OPTIONS:
        return "user"
    return "secret" if _option.fullmatch(word) and is_secret_name(word) else ""


def _redact_attached(word: str, program: str) -> str:
    """`-psecret`, and `-uname:secret` of curl; "" if the word is neither."""
    option = _PASSWORD_OPTIONS.get(program, "")
    if program in _MYSQL and _attached_password.match(word):
        return "-p" + MASK
    if option and word.startswith(option) and word != option:
        return option + MASK
    if program == "curl" and word.startswith("-u"):
        return _mask_user(word)
    return ""


def _mask_user(word: str) -> str:
    """`curl -u name:password`; `psql -U name` has no colon and stays."""
    name, colon, _ = word.partition(":")
    return f"{name}:{MASK}" if colon else word


def _redact_line(text: str) -> str:
    """An argument or a variable, which may be a whole command line for a shell."""
    text = _redact_text(text)
    words: list[str] = _shell_word.findall(text)
    return "".join(_redact_words(words, is_shell=True)) if len(words) > 1 else text


def _redact_text(text: str) -> str:
    text = _user_info.sub(_mask_user_info, text)
    text = _user_assignment.sub(rf"\g<1>{MASK}", text)
    parts: list[str] = []
    done = 0
    for pair in _pair.finditer(text):
        if pair.start() < done or not _is_secret_pair(text, pair):
            continue
        start, end = _value(text, pair)
        if start < end:
            parts += text[done:start], MASK
            done = end
    return "".join((*parts, text[done:]))


def _mask_user_info(found: re.Match[str]) -> str:
    """Both parts go, for a token can be either; a name alone is one only in a URL of the web."""
    scheme = found.string[max(0, found.start() - 8) : found.start()].lower()
    is_web = scheme.endswith(("http://", "https://"))
    return MASK + "@" if is_web or ":" in found[0] else found[0]


def _is_secret_pair(text: str, pair: re.Match[str]) -> bool:
    if ":" in pair[2]:
        is_path = text[pair.start() - 1 : pair.start()] == "/"  # `-v /run/secrets/token:/token`
        if is_path or text.startswith("//", pair.end()):  # `secret://vault`
            return False
    return is_secret_name(pair[1])


def _value(text: str, pair: re.Match[str]) -> tuple[int, int]:
    """Where the value of a pair stands in the text."""
    start = pair.end()
    if pair.start() == 0:
        return start, len(text)
    before = text[pair.start() - 1]
    if before in _in_quotes and not pair[2].strip("\\").startswith(("'", '"')):
        end = text.find(before, start)  # 'Authorization: Bearer x': to where that quote closes
        return start, len(text) if end < 0 else end
    opening = _opening_quote.match(text, start)
    if opening is None:
        bare = _bare_value.match(text, start)
        return start, bare.end() if bare else start
    quote, start = opening[0], opening.end()
    if len(quote) > 1:
        end = text.find(quote, start)
        return start, len(text) if end < 0 else end
    quoted = _in_quotes[quote].match(text, start)
    return start, quoted.end() if quoted else len(text)
