"""The names of users, from `/etc/passwd` alone.

getpwuid(3) would ask whatever NSS is configured to ask, a directory server too, and the capture
thread would wait for it.
"""

import re
from pathlib import Path

_PASSWD = Path("/etc/passwd")
_LINE = re.compile(r"^([^:\n]+):[^:\n]*:([0-9]{1,10}):", re.MULTILINE)
_Identity = tuple[int, int, int]


class UserNames:
    """Reads the file once, and again when it has changed. One thread uses it."""

    def __init__(self, path: Path = _PASSWD) -> None:
        self._path = path
        self._identity: _Identity | None = None
        self._names: dict[int, str] = {}

    def name(self, uid: int) -> str:
        """The user's name, or "" if the file has none. Never raises."""
        try:
            status = self._path.stat()
            identity = (status.st_mtime_ns, status.st_ino, status.st_size)
            if identity != self._identity:
                self._names = parse_passwd(self._path.read_bytes())
                self._identity = identity
        except OSError:  # replaced at this moment: what it said holds
            pass
        return self._names.get(uid, "")


def parse_passwd(data: bytes) -> dict[int, str]:
    """Names by user id, the first of each as getpwuid(3) has it; other lines are left out."""
    names: dict[int, str] = {}
    for name, uid in _LINE.findall(data.decode("utf-8", "replace")):
        names.setdefault(int(uid), name)
    return names
