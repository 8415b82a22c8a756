"""A fake `/proc`, built from one text that can be read in review (tests/data/proc/*.txt).

    == 812/comm
    nginx
    == 812/cmdline
    nginx: worker\\0
    == 812/exe -> /usr/sbin/nginx
    == 812/fd/3 -> socket:[5001]
    == 812/ns/net = host

A section is a file (its content may have escapes as in Python), `->` a symlink, and `=` a process'
network namespace, by a name of the test's: what is the same there has the same inode number.
"""

import shutil
from pathlib import Path

DATA = Path(__file__).parent / "data" / "proc"


class ProcTree:
    """The tree below `root`, a folder of its own. Tests may change it as the kernel would."""

    def __init__(self, folder: Path, text: str = "") -> None:
        self.root = folder / "proc"
        self._namespaces = folder / "netns"
        self.root.mkdir()
        self._namespaces.mkdir()
        self.add(text)

    def add(self, text: str) -> None:
        """Make, or make anew, what the text says."""
        for section in ("\n" + text).split("\n== ")[1:]:
            title, _, content = section.partition("\n")
            if " -> " in title:
                name, _, target = title.partition(" -> ")
                self._replace(name).symlink_to(target)
            elif " = " in title:
                name, _, namespace = title.partition(" = ")
                self._replace(name).symlink_to(self._namespace(namespace))
            else:
                self._replace(title).write_bytes(_unescape(content))

    def netns(self, namespace: str) -> int:
        return self._namespace(namespace).stat().st_ino

    def end(self, pid: int) -> None:
        """The process is gone."""
        shutil.rmtree(self.root / str(pid))

    def remove(self, name: str) -> None:
        (self.root / name).unlink()

    def _namespace(self, namespace: str) -> Path:
        path = self._namespaces / namespace
        path.touch()
        return path

    def _replace(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        return path


def read_tree(folder: Path, name: str) -> ProcTree:
    """The tree of `tests/data/proc/<name>.txt`, built in `folder`."""
    lines = (DATA / f"{name}.txt").read_text().splitlines()
    return ProcTree(folder, "\n".join(line for line in lines if not line.startswith("#")))


def _unescape(text: str) -> bytes:
    return text.strip("\n").encode("ascii").decode("unicode_escape").encode("latin-1")
