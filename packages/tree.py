"""One folder out of many wheels: connbeat and all it needs, for every Python it runs on.

Compiled modules carry the Python they are for in their names, and what is not compiled is the same
in the wheels of every Python, so the wheels are laid over each other. Where two of them have
another content at one path, or one has what only an installer could place, it stops.
"""

import argparse
import os
import shutil
import stat
import sys
import zipfile
from collections.abc import Iterator, Sequence
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

#: Distributions that others require and that nothing of connbeat comes to load: lexers and Markdown
#: (of rich), and the time zones that the system has, or without which UTC is meant (of dateutil).
LEFT_OUT = frozenset({"markdown-it-py", "mdurl", "pygments", "tzdata"})
#: What installers keep for themselves, and what tells a wheel of one Python from that of another.
_OF_INSTALLERS = frozenset({"RECORD", "WHEEL"})

_MAIN = """\
# Called by the interpreter that is given this folder (`python3 -I -S FOLDER`): see ../connbeat.
import sys

from connbeat.cli.main import main

sys.exit(main())
"""


def build(wheels: Sequence[Path], folder: Path) -> None:
    """Fill the folder, which is made new. Raises ValueError where wheels contradict each other."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for wheel in sorted(wheels):
        if distribution(wheel) not in LEFT_OUT:
            _lay_over(wheel, folder)
    (folder / "__main__.py").write_text(_MAIN, encoding="utf-8")


def distribution(wheel: Path) -> str:
    """The name that a wheel's file name begins with, as indexes spell it."""
    return wheel.name.split("-", 1)[0].replace("_", "-").lower()


def _lay_over(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name, content in _files(archive):
            if name.split("/", 1)[0].endswith(".data"):
                raise ValueError(f"{wheel.name}: {name} is for an installer to place")
            target = folder / name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            elif target.read_bytes() != content:
                raise ValueError(f"{wheel.name}: another wheel has another {name}")


def _files(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    for entry in archive.infolist():
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{archive.filename}: {entry.filename} leads out of the folder")
        is_installers = path.parent.name.endswith(".dist-info") and path.name in _OF_INSTALLERS
        if not entry.is_dir() and not is_installers:
            yield entry.filename, archive.read(entry)


def notice(folder: Path) -> str:
    """Whose work is in the folder, under which licence, and where the licences' texts are."""
    lines = [
        "These Python packages are carried along, unchanged but that compiled ones are stripped.",
        "The texts of their licences are beside their code, in site/*.dist-info.",
        "",
    ]
    for path in sorted(folder.glob("*.dist-info/METADATA")):
        about = HeaderParser().parsestr(path.read_text(encoding="utf-8"))
        if about["Name"] != "connbeat":
            lines.append(f"{about['Name']} {about['Version']}: {_licence(about)}")
    return "\n".join(lines) + "\n"


def _licence(about: Message) -> str:
    """In one line: some put the whole text where its name belongs."""
    classifiers = [str(it) for it in about.get_all("Classifier", [])]
    texts = [str(about[key]) for key in ("License-Expression", "License") if about[key]]
    texts += [it.rsplit(" :: ", 1)[1] for it in classifiers if it.startswith("License :: ")]
    return next((text for text in texts if "\n" not in text), "see its own text")


def settle(root: Path, epoch: int) -> None:
    """The same modes and times whoever builds it and when: root's to write, all others' to read."""
    for path in [root, *root.rglob("*")]:
        is_run = path.is_dir() or bool(path.stat().st_mode & stat.S_IXUSR)
        path.chmod(0o755 if is_run else 0o644)
        os.utime(path, (epoch, epoch))


def main() -> None:
    parser = argparse.ArgumentParser(description="see `packages/tree.py` and `scripts/package`")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("build", "notice", "settle"):
        commands.add_parser(name).add_argument("folder", type=Path)
    commands.choices["build"].add_argument("wheels", type=Path, nargs="+")
    commands.choices["settle"].add_argument("epoch", type=int)
    given = parser.parse_args()
    if given.command == "build":
        build(given.wheels, given.folder)
    elif given.command == "notice":
        sys.stdout.write(notice(given.folder))
    else:
        settle(given.folder, given.epoch)


if __name__ == "__main__":
    main()
