import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connbeat.config.keystore.store import Keystore, keystore_file, read_secrets
from connbeat.errors import KeystoreError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "connbeat.keystore"


@pytest.fixture
def keystore(path: Path) -> Keystore:
    keystore = Keystore(path, {})
    keystore.create(force=False)
    return keystore


def test_the_file_is_below_path_data_unless_it_is_named() -> None:
    assert keystore_file("", "/d") == Path("/d/connbeat.keystore")
    assert keystore_file("", "") == Path("data/connbeat.keystore")
    assert keystore_file("/k", "/d") == Path("/k")


def test_secrets_are_added_replaced_and_removed(keystore: Keystore, path: Path) -> None:
    keystore.add("A", "1", force=False)
    keystore.add("B", "2", force=False)
    keystore.add("A", "3", force=True)
    assert keystore.read() == {"A": "3", "B": "2"}
    keystore.remove("A")
    assert keystore.read() == {"B": "2"}
    assert list(path.parent.iterdir()) == [path], "and nothing is left beside it"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda keystore: keystore.create(force=False), "is there already; --force empties it"),
        (lambda keystore: keystore.add("A", "2", force=False), "has A already; --force replaces"),
        (lambda keystore: keystore.remove("B"), "has no B"),
    ],
)
def test_what_would_lose_something_or_does_nothing_is_refused(
    keystore: Keystore, path: Path, change: Callable[[Keystore], None], text: str
) -> None:
    keystore.add("A", "1", force=False)
    with pytest.raises(KeystoreError, match=f"^the keystore {path} {text}"):
        change(keystore)
    assert keystore.read() == {"A": "1"}


def test_creating_with_force_empties_it(keystore: Keystore) -> None:
    keystore.add("A", "1", force=False)
    keystore.create(force=True)
    assert keystore.read() == {}


def test_nobody_else_may_read_it_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        Keystore(path, {}).create(force=False)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610])
def test_one_that_others_may_use_is_refused_unless_told_otherwise(
    keystore: Keystore, path: Path, mode: int
) -> None:
    path.chmod(mode)
    with pytest.raises(KeystoreError, match=f"mode {mode:04o}\\), expected mode 0600"):
        keystore.read()
    assert Keystore(path, {}, strict_permissions=False).read() == {}


def test_a_keystore_that_is_missing_has_no_secrets_but_cannot_be_changed(path: Path) -> None:
    secrets = read_secrets("", str(path.parent), environment={}, strict_permissions=True)
    assert secrets == {}
    path.parent.mkdir()
    for keystore in (Keystore(path, {}), Keystore(path.parent / "no" / "k", {})):
        with pytest.raises(KeystoreError, match="is not there; connbeat keystore create makes one"):
            keystore.add("A", "1", force=False)


def test_the_password_comes_from_the_environment(path: Path) -> None:
    Keystore(path, {"CONNBEAT_KEYSTORE_PASSWORD": "pw"}).create(force=False)
    with pytest.raises(KeystoreError, match="cannot be opened"):
        Keystore(path, {}).read()
    secrets = read_secrets(
        str(path), "", environment={"CONNBEAT_KEYSTORE_PASSWORD": "pw"}, strict_permissions=True
    )
    assert secrets == {}


def test_errors_of_the_system_name_the_file(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(KeystoreError, match=f"^the keystore {path} cannot be used: Is a directory"):
        Keystore(path, {}).read()


def test_a_write_that_fails_leaves_the_old_one(
    keystore: Keystore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keystore.add("A", "1", force=False)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(KeystoreError, match="cannot be used: No space left on device"):
            keystore.add("B", "2", force=False)
    assert keystore.read() == {"A": "1"}
    keystore.add("B", "2", force=False)
    assert sorted(keystore.read()) == ["A", "B"], "and what was left behind is in nobody's way"
    assert list(path.parent.iterdir()) == [path]


def test_two_that_add_at_the_same_time_lose_nothing(keystore: Keystore, path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        for number in range(8):
            pool.submit(Keystore(path, {}).add, f"K{number}", "x", force=False)
    assert len(keystore.read()) == 8


def test_a_file_that_is_too_large_is_refused(keystore: Keystore, path: Path) -> None:
    path.write_bytes(b"x" * 1024 * 1025)
    with pytest.raises(KeystoreError, match="is larger than"):
        keystore.read()
    path.unlink()
    keystore.create(force=False)
    with pytest.raises(KeystoreError, match="would be larger"):
        keystore.add("A", "x" * 1024 * 1024, force=False)
