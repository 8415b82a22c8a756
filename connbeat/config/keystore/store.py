"""The keystore's file. Blocks on the disk.

It is written anew as a whole beside the old one, synced, and put in its place: whatever happens,
there is the old one or the new one. Who changes it holds a lock on its directory meanwhile.
"""

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from connbeat.config.keystore.sealing import ENTROPY_BYTES, seal, unseal
from connbeat.errors import KeystoreError

FILE_NAME = "connbeat.keystore"
PASSWORD_VARIABLE = "CONNBEAT_KEYSTORE_PASSWORD"  # noqa: S105  the variable's name
_MODE = 0o600
_DIRECTORY_MODE = 0o750
_MAX_BYTES = 1024 * 1024


def keystore_file(keystore_path: str, path_data: str) -> Path:
    return Path(keystore_path) if keystore_path else Path(path_data or "data", FILE_NAME)


def read_secrets(
    keystore_path: str,
    path_data: str,
    *,
    environment: Mapping[str, str],
    strict_permissions: bool,
) -> dict[str, str]:
    """The secrets by name; none if there is no keystore. Raises KeystoreError."""
    path = keystore_file(keystore_path, path_data)
    keystore = Keystore(path, environment, strict_permissions=strict_permissions)
    return keystore.read() if keystore.exists() else {}


class Keystore:
    """One keystore. Everything raises KeystoreError, which names the file."""

    def __init__(
        self, path: Path, environment: Mapping[str, str], *, strict_permissions: bool = True
    ) -> None:
        self.path = path
        self._password = environment.get(PASSWORD_VARIABLE, "")
        self._strict_permissions = strict_permissions

    def exists(self) -> bool:
        with self._told():
            return self.path.exists()

    def read(self) -> dict[str, str]:
        with self._told():
            return self._read()

    def create(self, *, force: bool) -> None:
        """An empty one; `force` replaces one that is there."""
        with self._told():
            self.path.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
            with self._locked():
                if self.path.exists() and not force:
                    raise KeystoreError("is there already; --force empties it")
                self._write({})

    def add(self, name: str, value: str, *, force: bool) -> None:
        with self._changing() as secrets:
            if name in secrets and not force:
                raise KeystoreError(f"has {name} already; --force replaces it")
            secrets[name] = value

    def remove(self, name: str) -> None:
        with self._changing() as secrets:
            if name not in secrets:
                raise KeystoreError(f"has no {name}")
            del secrets[name]

    @contextmanager
    def _changing(self) -> Iterator[dict[str, str]]:
        with self._told(), self._locked():
            secrets = self._read()
            yield secrets
            self._write(secrets)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of the system and of the content, with the file they are about."""
        try:
            yield
        except FileNotFoundError as error:
            text = f"the keystore {self.path} is not there; connbeat keystore create makes one"
            raise KeystoreError(text) from error
        except OSError as error:
            text = f"the keystore {self.path} cannot be used: {error.strerror}"
            raise KeystoreError(text) from error
        except KeystoreError as error:
            raise KeystoreError(f"the keystore {self.path} {error}") from error

    def _read(self) -> dict[str, str]:
        with self.path.open("rb") as file:
            if self._strict_permissions:
                _refuse_strangers(file)
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise KeystoreError(f"is larger than {_MAX_BYTES} bytes")
        return unseal(content, self._password)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        import fcntl  # only who changes it; reading works where there is no such module

        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield
        finally:
            os.close(directory)

    def _write(self, secrets: dict[str, str]) -> None:
        content = seal(secrets, self._password, os.urandom(ENTROPY_BYTES))
        if len(content) > _MAX_BYTES:
            raise KeystoreError(f"would be larger than {_MAX_BYTES} bytes")
        new = self.path.with_name(f".{self.path.name}.new")
        with suppress(FileNotFoundError):
            new.unlink()  # left by one that was killed
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), _MODE)  # whatever the umask took
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
        _sync_directory(self.path.parent)


def _refuse_strangers(file: BinaryIO) -> None:
    status = os.fstat(file.fileno())
    mode = stat.S_IMODE(status.st_mode)
    user = os.geteuid()
    if status.st_uid not in (0, user):
        raise KeystoreError(f"belongs to uid {status.st_uid}, expected uid {user} or root")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeystoreError(f"may be used by others (mode {mode:04o}), expected mode 0600")


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot
            raise
    finally:
        os.close(descriptor)
