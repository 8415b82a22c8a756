"""Configuration files: which ones, may they be trusted, and their text. Blocks on the disk.

A file that another user may write decides what root does, so such a file is refused (libbeat's
`strict.perms`). Owner and mode are taken from the opened file: nobody can exchange it in between.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from connbeat.config.document import parse_document
from connbeat.config.faults import Findings
from connbeat.config.tree import Node, Place

FILE_NAME = "connbeat.yml"
SYSTEM_FILE = Path("/etc/connbeat") / FILE_NAME
_MAX_BYTES = 1024 * 1024


def files_to_read(given: Sequence[str], directory: str | None) -> tuple[Path, ...]:
    """The files of `-c`, or those of the usual places: the first that exists, or none.

    `directory` is `--path.config`, in which relative names are looked up; without it, the working
    directory.
    """
    base = Path(directory or "")
    if given:
        return tuple(base / name for name in given)
    usual = [base / FILE_NAME] if directory else [Path(FILE_NAME), SYSTEM_FILE]
    return tuple([path for path in usual if _exists(path)][:1])


def working_directory() -> str:
    """The root directory where the working directory has been removed."""
    try:
        return os.getcwd()  # noqa: PTH109  the text is what is wanted
    except OSError:
        return "/"


def is_the_systems(path: Path) -> bool:
    """Whether a file is of the machine's own configuration, however it was named."""
    return Path(working_directory(), path).parent == SYSTEM_FILE.parent


def _exists(path: Path) -> bool:
    """Also true of what cannot be looked at: reading it says why."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def read_file(path: Path, findings: Findings, *, strict_permissions: bool) -> Node:
    """The tree of one file, empty with a fault in `findings` where it cannot be had."""
    place = Place(str(path))
    text = _read_text(path, place, findings, strict_permissions=strict_permissions)
    if text is None:
        return Node({}, place)
    return parse_document(text, str(path), findings)


def _read_text(
    path: Path, place: Place, findings: Findings, *, strict_permissions: bool
) -> str | None:
    try:
        with path.open("rb") as file:
            if strict_permissions and not _is_trusted(file, place, findings):
                return None
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        findings.fault(place, "", f"cannot be read: {reason}")
        return None
    if len(content) > _MAX_BYTES:
        findings.fault(place, "", f"larger than {_MAX_BYTES} bytes, expected a configuration file")
        return None
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        findings.fault(Place(str(path), line), "", "not YAML: it is not valid UTF-8")
        return None


def _is_trusted(file: BinaryIO, place: Place, findings: Findings) -> bool:
    status = os.fstat(file.fileno())
    user = os.geteuid()
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid not in (0, user):
        text = f"belongs to uid {status.st_uid}, expected uid {user}, who runs connbeat, or root"
    elif mode & (stat.S_IWGRP | stat.S_IWOTH):
        text = f"may be written by others (mode {mode:04o}), expected chmod go-w {place.source}"
    else:
        return True
    findings.fault(place, "", f"{text}; --strict.perms=false skips this check")
    return False
