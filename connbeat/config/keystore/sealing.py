"""Secrets to the bytes of a keystore and back. Pure; the only module that knows cryptography.

The file is JSON: what the key was made with, a nonce, and the secrets under AES-256-GCM, which
tells of any byte that was changed. The key is scrypt of a password; without one it hides the
values from eyes, backups and search, and the file's mode is what protects them.
"""

from typing import Protocol

import msgspec

from connbeat.errors import KeystoreError

#: Random bytes that `seal` needs.
ENTROPY_BYTES = 16 + 12

_SALT_BYTES = 16
_KEY_BYTES = 32
_VERSION = 1
# With a password 16 MiB and 50 ms; where there is none to guess, nothing worth mentioning.
_COST, _NO_COST = 2**14, 2
_BLOCK = 8


class _Cipher(Protocol):
    """What is used of cryptography's AESGCM."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: None) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: None) -> bytes: ...


class _Sealed(msgspec.Struct, frozen=True):
    connbeat_keystore: int
    salt: bytes
    nonce: bytes
    sealed: bytes


def seal(secrets: dict[str, str], password: str, entropy: bytes) -> bytes:
    """Raises KeystoreError where cryptography is missing. `entropy` is used only once."""
    salt, nonce = entropy[:_SALT_BYTES], entropy[_SALT_BYTES:ENTROPY_BYTES]
    sealed = _cipher(password, salt).encrypt(nonce, msgspec.json.encode(secrets), None)
    return msgspec.json.encode(_Sealed(_VERSION, salt, nonce, sealed)) + b"\n"


def unseal(content: bytes, password: str) -> dict[str, str]:
    """Raises KeystoreError, which says whether it is no keystore or cannot be opened."""
    try:
        box = msgspec.json.decode(content, type=_Sealed)
    except msgspec.DecodeError as error:
        raise KeystoreError("is no keystore of connbeat") from error
    if box.connbeat_keystore != _VERSION:
        raise KeystoreError(f"has version {box.connbeat_keystore}, expected {_VERSION}")
    return _opened(box, password)


def _opened(box: _Sealed, password: str) -> dict[str, str]:
    cipher = _cipher(password, box.salt)
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415  only who has a keystore pays

    try:
        content = cipher.decrypt(box.nonce, box.sealed, None)
        return msgspec.json.decode(content, type=dict[str, str])
    except (InvalidTag, ValueError) as error:  # ValueError: a nonce too short, or no JSON
        raise KeystoreError(
            "cannot be opened: it is damaged, or CONNBEAT_KEYSTORE_PASSWORD is not the password"
            " it was made with"
        ) from error


def _cipher(password: str, salt: bytes) -> _Cipher:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  as above
    except ModuleNotFoundError as error:
        raise KeystoreError(
            "needs the package cryptography, which is not installed; install connbeat[keystore]"
        ) from error
    from hashlib import scrypt  # noqa: PLC0415  it loads libcrypto, 3.5 MB, and few have a keystore

    key = scrypt(
        password.encode(errors="surrogateescape"),
        salt=salt,
        n=_COST if password else _NO_COST,
        r=_BLOCK,
        p=1,
        dklen=_KEY_BYTES,
    )
    return AESGCM(key)
