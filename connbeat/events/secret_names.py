"""Secret names: whether a name is one under which people keep secrets.

A name is looked at word by word (`MYSQL_ROOT_PASSWORD`, `clientSecret`, `--api-key`), so that
`compass`, `--passive` and `tokenizer` are none. Errs on the side of yes: a masked number is a
nuisance, a password in an index is an incident.
"""

import functools
import itertools
import re

#: Words run together are common (`PGPASSWORD`, `dbpass`), so a word may end in one of these.
_ENDINGS = (
    "password", "passwd", "passphrase", "passcode", "pass", "pwd", "secret", "token", "apikey",
    "accesskey", "privatekey", "secretkey", "credential", "authorization", "cookie", "bearer",
    "jwt", "signature",
)  # fmt: skip
_INNOCENT = frozenset({"compass", "bypass", "encompass", "overpass", "surpass", "trespass"})
#: What makes a key a secret one: `access-key`, but not `sort-key`.
_KINDS_OF_KEY = frozenset({
    "access", "account", "admin", "api", "auth", "deploy", "encryption", "license", "master",
    "private", "secret", "session", "shared", "signing", "storage",
})  # fmt: skip
#: A name that begins or ends so says something about a secret, not the secret.
_FIRST_HARMLESS = frozenset({"max", "min", "no", "num"})
_LAST_HARMLESS = frozenset({
    "authentication", "bucket", "count", "dir", "enabled", "expiry", "file", "files", "jar",
    "length", "lifetime", "limit", "mode", "name", "path", "policy", "prompt", "required", "size",
    "stdin", "timeout", "ttl", "type", "username",
})  # fmt: skip
#: The working directory of a shell.
_WORKING_DIRECTORY = frozenset({"PWD", "OLDPWD"})

_word = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_LONGEST = 128


def is_secret_name(name: str) -> bool:
    """Takes a variable, an option with its dashes, a header or a key."""
    return _is_secret_name(name[-_LONGEST:])


@functools.lru_cache(maxsize=4096)
def _is_secret_name(name: str) -> bool:
    if name in _WORKING_DIRECTORY:
        return False
    words = [word.lower() for word in _word.findall(name)]
    if not words or words[0] in _FIRST_HARMLESS or words[-1] in _LAST_HARMLESS:
        return False
    if len(words) > 1 and words[-1] == "auth":
        return True
    return any(map(_is_secret_word, words)) or _has_secret_key(words)


def _is_secret_word(word: str) -> bool:
    if word in _INNOCENT:
        return False
    return word == "pw" or word.endswith(_ENDINGS) or word.removesuffix("s").endswith(_ENDINGS)


def _has_secret_key(words: list[str]) -> bool:
    return any(
        kind in _KINDS_OF_KEY and noun in ("key", "keys")
        for kind, noun in itertools.pairwise(words)
    )
