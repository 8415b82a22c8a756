import builtins
import json
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connbeat.config.keystore.sealing import ENTROPY_BYTES, seal, unseal
from connbeat.errors import KeystoreError

ENTROPY = bytes(range(ENTROPY_BYTES))
SEALED = seal({"ES_PASSWORD": "hunter2"}, "", ENTROPY)


@settings(max_examples=3)  # 50 ms each: that is what scrypt is for
@given(st.dictionaries(st.text(), st.text(), max_size=3), st.text())
def test_what_was_sealed_comes_back_with_the_same_password(
    secrets: dict[str, str], password: str
) -> None:
    assert unseal(seal(secrets, password, ENTROPY), password) == secrets


def test_neither_names_nor_values_can_be_read_in_the_file() -> None:
    assert b"hunter2" not in SEALED
    assert b"ES_PASSWORD" not in SEALED


def test_the_file_of_this_version_stays_readable() -> None:
    assert json.loads(SEALED) == {
        "connbeat_keystore": 1,
        "salt": "AAECAwQFBgcICQoLDA0ODw==",
        "nonce": "EBESExQVFhcYGRob",
        "sealed": "gaaAGm8mtTyUgahoHtyuuGhGyrylUMRKsje9wPXk8asGsbcVIQOCVjA=",
    }


def test_another_password_opens_nothing() -> None:
    with pytest.raises(KeystoreError, match="CONNBEAT_KEYSTORE_PASSWORD"):
        unseal(SEALED, "other")


@pytest.mark.parametrize("name", ["salt", "nonce", "sealed"])
@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda _: b"", lambda b: b[:-1] + b"!"])
def test_a_damaged_file_is_told(name: str, change: Callable[[bytes], bytes]) -> None:
    box = msgspec.json.decode(SEALED, type=dict[str, str | int])
    raw = msgspec.convert(box[name], bytes)
    damaged = msgspec.json.encode({**box, name: change(raw)})
    with pytest.raises(KeystoreError, match="damaged"):
        unseal(damaged, "")


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{}", b'{"connbeat_keystore": "1"}'])
def test_what_is_no_keystore_is_told(content: bytes) -> None:
    with pytest.raises(KeystoreError, match="is no keystore"):
        unseal(content, "")


def test_a_later_version_is_told() -> None:
    with pytest.raises(KeystoreError, match="has version 2, expected 1"):
        unseal(SEALED.replace(b'"connbeat_keystore":1', b'"connbeat_keystore":2'), "")


def test_without_cryptography_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("cryptography"):
            raise ModuleNotFoundError(name=name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(KeystoreError, match=r"install connbeat\[keystore\]"):
        unseal(SEALED, "")
