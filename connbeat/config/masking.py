"""Secrets of the configuration itself, hidden before anything of it is shown. Pure.

A value is a secret by its origin (`Node.is_secret`), by the names it stands below, or by how it
looks: the user and the query of a URL, a private key. In doubt it is hidden.
"""

import re

from connbeat.config.tree import Node, below

MASK = "xxxxx"
_SECRET_NAME = re.compile(
    r"passw|passphrase|secret|token|api_?key|credential|authorization|cookie"
    r"|(^|[._])pass(\.|$)|private_?key|oauthbearer\.config"
    # Below these stand names of the user's own, of which any may be a login.
    r"|(^|\.)(headers|proxy_headers|parameters)(\.|$)"
    r"|(ssl|tls)\.key(\.|$)",
    re.IGNORECASE,
)
_PLAIN_KEY = re.compile(r"[\w.<-]*")
# To the last @, for a password may hold any character somebody forgot to encode.
_USER = re.compile(r"(?<=://)\S*@|^(?!\S*://)[^\s:@/]*:\S*@")
_QUERY_VALUE = re.compile(r"([?&][^=&\s]+=)[^&#\s]+")


def is_secret_name(path: str) -> bool:
    """Whether what stands at this path, or in this environment variable, is called a secret."""
    return bool(_SECRET_NAME.search(path))


def masked_text(text: str) -> str:
    """The text without the secrets that can be told by their looks."""
    if "PRIVATE KEY" in text:
        return MASK
    return _QUERY_VALUE.sub(rf"\g<1>{MASK}", _USER.sub(f"{MASK}@", text))


def masked(node: Node, path: str = "") -> object:
    """The tree as JSON values, as it may be shown."""
    if isinstance(node.value, dict):
        return {key: masked(child, below(path, key)) for key, child in node.value.items()}
    if node.value is not None and (node.is_secret or is_secret_name(path)):
        return MASK
    if isinstance(node.value, tuple):
        return [masked(child, path) for child in node.value]
    return masked_text(node.value) if isinstance(node.value, str) else node.value


def shown_key(path: str) -> str:
    """The key as it may be shown: `password hunter2`, where a colon is missing, ends early."""
    plain = _PLAIN_KEY.match(path)
    if plain is None or plain.end() == len(path) or not is_secret_name(path):
        return path
    return f"{plain[0]}..."


def describe(node: Node, path: str) -> str:
    """What was found, for a message: short, on one line, without secrets."""
    if isinstance(node.value, dict):
        return "a section"
    if isinstance(node.value, tuple):
        return "a list"
    if node.value is None:
        return "nothing"
    if node.is_secret or is_secret_name(path):
        return "a value that is not shown"
    shown = masked_text(node.text)
    return repr(shown if len(shown) <= 40 else f"{shown[:37]}...")
