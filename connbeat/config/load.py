"""Everything that configures the agent, to settings or to all faults at once.

defaults < files in order < `-E` in order < `--path.*`. Sections are merged key by key, lists index
by index as libbeat does it, everything else is replaced.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from connbeat.config.checking import check
from connbeat.config.document import parse_value
from connbeat.config.expand import expand, expand_setting
from connbeat.config.faults import Findings
from connbeat.config.keystore.store import Keystore, keystore_file, read_secrets
from connbeat.config.reader import files_to_read, is_the_systems, read_file, working_directory
from connbeat.config.schema import Settings
from connbeat.config.tree import Node, Place, find, is_utf8, leaves, list_items, merged, nested

_PATHS = {
    "path.config": "${path.home}",
    "path.data": "${path.home}/data",
    "path.logs": "${path.home}/logs",
}
#: With the machine's own configuration, wherever the command is called: what packages install.
_SYSTEM_PATHS = {
    "path.home": "/var/lib/connbeat",
    "path.config": "/etc/connbeat",
    "path.data": "/var/lib/connbeat",
    "path.logs": "/var/log/connbeat",
}


class Loaded(msgspec.Struct, frozen=True):
    """Settings, what was doubtful about them, and where they came from.

    `root` is the merged configuration with its references resolved, for `export config`.
    """

    settings: Settings
    warnings: tuple[str, ...]
    files: tuple[str, ...]
    root: Node


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says about the configuration.

    `overrides` are those of `-E`, as given; `paths` those of `--path.*` by key (`path.home`).
    """

    files: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    paths: Mapping[str, str] = {}
    are_unknown_keys_faults: bool = True
    has_strict_permissions: bool = True


def load(sources: Sources, environment: Mapping[str, str]) -> Loaded:
    """Blocks on the disk. Raises ConfigError with every fault there is."""
    findings = Findings()
    files = _files(sources)
    strict = _is_strict(sources, environment)
    keystore = partial(read_secrets, environment=environment, strict_permissions=strict)
    root = expand(_unexpanded(sources, environment, findings), environment, findings, keystore)
    settings = check(root, findings, are_unknown_keys_faults=sources.are_unknown_keys_faults)
    findings.raise_faults()
    return Loaded(settings, findings.warnings, tuple(map(str, files)), root)


def find_keystore(sources: Sources, environment: Mapping[str, str]) -> Keystore:
    """The keystore of this configuration, whatever else may be wrong with that or missing.

    Blocks on the disk. Raises ConfigError if the files cannot be read.
    """
    findings = Findings()
    root = _unexpanded(sources, environment, findings)
    settings = (
        expand_setting(root, path, environment, findings) for path in ("keystore.path", "path.data")
    )
    findings.raise_faults()
    strict = _is_strict(sources, environment)
    return Keystore(keystore_file(*settings), environment, strict_permissions=strict)


def _files(sources: Sources) -> tuple[Path, ...]:
    directory = sources.paths.get("path.config") or sources.paths.get("path.home")
    return files_to_read(sources.files, directory)


def _is_strict(sources: Sources, environment: Mapping[str, str]) -> bool:
    return sources.has_strict_permissions and environment.get("BEAT_STRICT_PERMS") != "false"


def _unexpanded(sources: Sources, environment: Mapping[str, str], findings: Findings) -> Node:
    """Everything merged, with `path.*` filled in, references as they were written."""
    files = _files(sources)
    strict = _is_strict(sources, environment)
    trees = [read_file(path, findings, strict_permissions=strict) for path in files]
    trees += [_override(text, findings) for text in sources.overrides]
    trees += [_path_override(key, value) for key, value in sources.paths.items()]
    return _with_paths(_merged(trees, findings), files)


def _merged(trees: Sequence[Node], findings: Findings) -> Node:
    root = Node({}, Place("configuration"))
    for tree in trees:
        _warn_of_short_lists(root, tree, findings)
        root = merged(root, tree)
    return root


def _warn_of_short_lists(below: Node, above: Node, findings: Findings) -> None:
    """Who lays one host over two seldom means to keep the second."""
    for path, node in leaves(above):
        items, old = list_items(node), find(below, path)
        if items is None or old is None or not isinstance(old.value, tuple):
            continue
        if len(items) < len(old.value):
            text = (
                f"a list of {len(items)} laid over one of {len(old.value)} ({old.place}), whose"
                f" last {len(old.value) - len(items)} stay; lists are merged item by item"
            )
            findings.warn(node.place, path, text)


def _override(text: str, findings: Findings) -> Node:
    """`key=value`; without `=`, the key is true."""
    place = Place("-E")
    key, equals, value = text.partition("=")
    if not all(key.split(".")) or not is_utf8(text):
        findings.fault(place, key, "expected key=value, in UTF-8")
        return Node({}, place)
    return nested(key, parse_value(value if equals else "true", place, key, findings))


def _path_override(key: str, path: str) -> Node:
    return nested(key, _literal(path, f"--{key}"))


def _with_paths(root: Node, files: Sequence[Path]) -> Node:
    """With `path.*` filled in, so that other settings can refer to it."""
    section = find(root, "path")
    if section is not None and section.value is not None and not isinstance(section.value, dict):
        return root
    home = find(root, "path.home")
    if home is not None and not home.is_scalar:  # a fault, which would be told four times
        return root
    for key, node in _default_paths(files, has_home=_is_set(root, "path.home")).items():
        if not _is_set(root, key):
            root = merged(root, nested(key, node))
    return root


def _default_paths(files: Sequence[Path], *, has_home: bool) -> dict[str, Node]:
    if not has_home and any(is_the_systems(path) for path in files):
        return {key: _literal(text, "the default") for key, text in _SYSTEM_PATHS.items()}
    home = _literal(working_directory(), "the working directory")
    place = Place("path.home")
    return {"path.home": home, **{key: Node(text, place, text) for key, text in _PATHS.items()}}


def _is_set(root: Node, key: str) -> bool:
    known = find(root, key)
    return known is not None and known.value is not None


def _literal(text: str, source: str) -> Node:
    """A text in which `${` means nothing."""
    text = text.replace("${", "$${")
    return Node(text, Place(source), text)
