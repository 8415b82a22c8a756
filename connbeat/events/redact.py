"""Redact: mask what looks like a secret in arguments and environments.

Errs on the side of masking: a masked port is a nuisance, a password in an index is an incident.
Looks at names (`--password x`, `TOKEN=x`, `-H "Authorization: ..."`), at credentials in URLs, and
at the two short options everybody knows (`curl -u`, `mysql -p`).
"""

import functools
import re
from collections.abc import Sequence

MASK = "xxxxx"

_NAME = (
    r"[\w.-]*(?:passw(?:or)?d|passwd|passphrase|pwd|secret|token|api[_-]?key|apikey|"
    r"access[_-]?key|private[_-]?key|credential|authorization|cookie|pass)s?[\w.-]*"
)
_secret_name = re.compile(rf"^-*{_NAME}$", re.IGNORECASE)
_assignment = re.compile(rf"^(-*{_NAME})([=:])(\s*)(.*)$", re.IGNORECASE | re.DOTALL)
_inline = re.compile(rf"\b({_NAME})(=|:\s*)(?!//)[^\s&;,\"']+", re.IGNORECASE)
_url_credentials = re.compile(r"(\w[\w+.-]*://)[^\s/@:]*:[^\s/@]*@")
_mysql_password = re.compile(r"^-p.+")

_USER_OPTIONS = frozenset({"-u", "--user", "--proxy-user", "-U"})
_MYSQL = frozenset({"mysql", "mysqldump", "mysqladmin", "mariadb", "mariadb-dump"})


@functools.lru_cache(maxsize=1024)
def redact_arguments(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """The arguments with every value that looks secret replaced by `xxxxx`."""
    program = arguments[0].rpartition("/")[2] if arguments else ""
    masked: list[str] = []
    hides_next = ""
    for argument in arguments:
        if hides_next == "secret":
            masked.append(MASK)
            hides_next = ""
            continue
        if hides_next == "user":
            masked.append(_mask_user(argument))
            hides_next = ""
            continue
        if argument in _USER_OPTIONS:
            hides_next = "user"
        elif argument.startswith("-") and _secret_name.match(argument):
            hides_next = "secret"
        masked.append(_redact_argument(argument, program))
    return tuple(masked)


@functools.lru_cache(maxsize=1024)
def redact_environ(environ: Sequence[str]) -> tuple[str, ...]:
    """`NAME=value` entries with the values of secret names, and credentials in URLs, masked."""
    return tuple(_redact_text(entry) for entry in environ)


def _redact_argument(argument: str, program: str) -> str:
    if program in _MYSQL and _mysql_password.match(argument):
        return "-p" + MASK
    return _redact_text(argument)


def _redact_text(text: str) -> str:
    assigned = _assignment.match(text)
    if assigned and assigned[4] and not assigned[4].startswith("//"):
        return f"{assigned[1]}{assigned[2]}{assigned[3]}{MASK}"
    text = _url_credentials.sub(rf"\1{MASK}@", text)
    return _inline.sub(rf"\1\g<2>{MASK}", text)


def _mask_user(argument: str) -> str:
    """`curl -u name:password`; `psql -U name` has no colon and stays."""
    name, colon, _ = argument.partition(":")
    return f"{name}:{MASK}" if colon else argument
