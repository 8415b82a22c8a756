"""What is told of a value that is nothing of its kind, without secrets. Pure."""

import re
from collections.abc import Iterator

from connbeat.config.kinds import Mismatch
from connbeat.config.masking import describe
from connbeat.config.tree import Node, below, find, has_secret, nearest

# How a value is quoted, and what the compiler of regular expressions says, which quotes as well.
_QUOTES = re.compile(r"found ['\"]|\bexpression[^:]*: ")
_EXPECTED = re.compile(r".*\bexpected ([^:;]+)", re.DOTALL)


def faults_of(mismatch: Mismatch, node: Node, key: str) -> Iterator[tuple[str, str]]:
    """Each place below the node, dotted, "" for itself, and what is wrong there."""
    for path, text in mismatch.faults:
        yield path, without_secrets(text, find(node, path) if path else node)
    for path, expected in mismatch.unexpected:
        found = nearest(node, path)
        yield path, _unexpected(found, below(key, path), expected)
    if not mismatch.faults and not mismatch.unexpected:
        yield "", _unexpected(node, key, str(mismatch))


def without_secrets(text: str, node: Node | None) -> str:
    """What is told of a node: of one with a secret in it, only what was expected."""
    if node is None or not has_secret(node) or not _QUOTES.search(text):
        return text
    expected = _EXPECTED.match(text)
    return f"found a value that is not shown, expected {expected[1] if expected else 'another'}"


def _unexpected(node: Node, key: str, expected: str) -> str:
    return without_secrets(f"found {describe(node, key)}, expected {expected}", node)
