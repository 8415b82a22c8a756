"""Which known key somebody meant. Pure."""

from collections.abc import Collection


def nearest_key(unknown: str, known: Collection[str]) -> str:
    """The known key (or section) most like `unknown`, "" if none is like it.

    First a spelling mistake anywhere in the key, then one in its last name where it stands, then
    the right last name in the wrong place: `poll_interval` without its `connbeat.`.
    """
    section, _, name = unknown.rpartition(".")
    known = [key for key in known if not unknown.startswith(f"{key}.")]
    siblings = {key.rpartition(".")[2]: key for key in known if key.rpartition(".")[0] == section}
    namesakes = [key for key in known if key.rpartition(".")[2] == name]
    return (
        _closest(unknown.lower(), known, 0.85)
        or siblings.get(_closest(name.lower(), siblings, 0.7), "")
        or (namesakes[0] if len(namesakes) == 1 else "")
    )


def _closest(word: str, words: Collection[str], cutoff: float) -> str:
    import difflib  # noqa: PLC0415  0.3 MB, for who has mistyped something

    return next(iter(difflib.get_close_matches(word, words, n=1, cutoff=cutoff)), "")
