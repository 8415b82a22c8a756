"""A configuration of tests/data/config with what else belongs to it, from its comments `#: ...`.

#: -E key=value       #: variable NAME=value       #: keystore 0644 (or damaged)
#: -c other.yml       #: mode 0666
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from connbeat.config.keystore.store import Keystore
from connbeat.config.load import Loaded, Sources, load

KEYSTORE = {"API_TOKEN": "s3cret"}


def load_scenario(path: Path, folder: Path) -> Loaded:
    """Loads a copy in `folder`, the working directory. Raises ConfigError."""
    copy = folder / path.name
    shutil.copy(path, copy)
    directives = _directives(path.read_bytes())
    copy.chmod(int(directives.get("mode", ["0600"])[0], 8))
    for state in directives.get("keystore", ()):
        _make_keystore(folder / "data" / "connbeat.keystore", state)
    sources = Sources(
        files=(str(copy), *(str(folder / name) for name in directives.get("-c", ()))),
        overrides=tuple(directives.get("-E", ())),
    )
    return load(sources, _environment(directives.get("variable", ())))


def _directives(content: bytes) -> dict[str, list[str]]:
    directives: dict[str, list[str]] = {}
    for line in content.decode(errors="replace").splitlines():
        if line.startswith("#: "):
            word, _, rest = line.removeprefix("#: ").partition(" ")
            directives.setdefault(word, []).append(rest)
    return directives


def _environment(lines: list[str] | tuple[str, ...]) -> Mapping[str, str]:
    return dict(line.split("=", 1) for line in lines)


def _make_keystore(path: Path, state: str) -> None:
    keystore = Keystore(path, {})
    keystore.create(force=True)
    for name, value in KEYSTORE.items():
        keystore.add(name, value, force=False)
    if state == "damaged":
        path.write_bytes(path.read_bytes().replace(b'"sealed":"', b'"sealed":"AAAA'))
    else:
        path.chmod(int(state, 8))
