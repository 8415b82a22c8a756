"""Secrets of the configuration itself, hidden before it is shown. Pure."""

import re

MASK = "xxxxx"
_SECRET_KEY = re.compile(
    r"passw|passphrase|secret|token|api_?key|credential|^pass$|^key$|authorization|cookie"
    r"|key\.pem|oauthbearer\.config",
    re.IGNORECASE,
)
# user:password@ of a URL, and key=value of its query where the key says that it is a secret.
_URL_USER = re.compile(r"(?<=://)[^/?#@\s]*:[^/?#\s]*@")
_QUERY_SECRET = re.compile(
    r"([?&][^=&\s]*(?:passw|secret|token|api_?key)[^=&\s]*=)[^&\s]+", re.IGNORECASE
)


def masked(value: object, key: str = "") -> object:
    """JSON values with secrets replaced: by the name of their key, or inside URLs."""
    if isinstance(value, dict):
        return {name: masked(child, str(name)) for name, child in value.items()}
    if isinstance(value, list):
        return [masked(child, key) for child in value]
    if value is not None and _SECRET_KEY.search(key):
        return MASK
    if isinstance(value, str):
        return _QUERY_SECRET.sub(rf"\g<1>{MASK}", _URL_USER.sub(f"{MASK}@", value))
    return value
