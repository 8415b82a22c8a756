"""Which known key somebody meant. Pure."""

import difflib
from collections.abc import Collection


def nearest_key(unknown: str, known: Collection[str]) -> str:
    """The known key (or section) most like `unknown`, "" if none is like it.

    First a spelling mistake anywhere in the key, then one in its last name where it stands, then
    the right last name in the wrong place: `poll_interval` without its `connbeat.`.
    """
    section, _, name = unknown.rpartition(".")
    prefix = f"{section}." if section else ""
    siblings = [k for k in known if k.startswith(prefix) and "." not in k[len(prefix) :]]
    namesakes = [k for k in known if k.rpartition(".")[2] == name]
    return (
        _closest(unknown.lower(), known, 0.85)
        or _closest(f"{prefix}{name}".lower(), siblings, 0.7)
        or (namesakes[0] if len(namesakes) == 1 else "")
    )


def _closest(word: str, words: Collection[str], cutoff: float) -> str:
    return next(iter(difflib.get_close_matches(word, words, n=1, cutoff=cutoff)), "")
