"""A way to run the agent as nobody, also where Python lives in a folder that only root may enter.

Such folders are covered, in a mount namespace of the agent's own, by empty ones that show just
what the interpreter and the package need.
"""

import sys
from pathlib import Path

import connbeat

NOBODY = 65534

# $1 is the number of folders covered; then they; then the number of those shown; then they.
_COVER = """
set -e
hidden=/mnt
mount -t tmpfs -o mode=755 tmpfs "$hidden"
covered=$1; shift
for _ in $(seq "$covered"); do
    mkdir -p "$hidden$1"; mount --rbind "$1" "$hidden$1"
    mount -t tmpfs -o mode=755 tmpfs "$1"; shift
done
shown=$1; shift
for _ in $(seq "$shown"); do
    mkdir -p "$1"; mount --rbind "$hidden$1" "$1"; shift
done
exec "$@"
"""

_DROP = (
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--bounding-set=-all",
    "--inh-caps=-all",
    "--no-new-privs",
)


def as_nobody() -> tuple[str, ...]:
    """The words before a command that is to run with no user, group or capability of ours."""
    needed = {Path(sys.prefix), Path(sys.base_prefix), Path(connbeat.__file__).parent.parent}
    closed = {folder for path in needed if (folder := _closed_above(path))}
    if not closed:
        return _DROP
    shown = sorted(str(path) for path in needed if _closed_above(path))
    folders = sorted(map(str, closed))
    arguments = (str(len(folders)), *folders, str(len(shown)), *shown)
    return ("unshare", "--mount", "sh", "-c", _COVER, "sh", *arguments, *_DROP)


def _closed_above(path: Path) -> Path | None:
    """The outermost folder on the way that others may not enter; None if there is none."""
    for folder in reversed((path, *path.parents)):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None
