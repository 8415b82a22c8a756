"""Digests, for names that have to be short and alike everywhere; nothing secret hangs on them.

`hashlib` loads libcrypto, 3.5 MB of an agent that otherwise needs 23; the interpreter's own
implementation of SHA-1 is as quick on so few bytes. `random` does the same with SHA-512.
"""

from collections.abc import Callable
from typing import Any

_sha1: Any
try:
    from _sha1 import sha1 as _sha1  # type: ignore[import-not-found, no-redef, unused-ignore]
except ImportError:  # an interpreter built without it
    from hashlib import sha1 as _sha1  # type: ignore[no-redef, unused-ignore]


def sha1(data: bytes) -> bytes:
    """The 20 bytes of the digest."""
    digest: bytes = _sha1(data, usedforsecurity=False).digest()
    return digest


def hasher(name: str) -> Callable[[bytes], bytes]:
    """A function for the digest of that name in `hashlib`, which it loads."""
    import hashlib  # noqa: PLC0415  see above: only for who asks for it

    new: Any = getattr(hashlib, name)

    def digest(data: bytes) -> bytes:
        result: bytes = new(data, usedforsecurity=False).digest()
        return result

    return digest
