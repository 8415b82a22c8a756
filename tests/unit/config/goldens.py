"""Golden files: compared, or written anew when UPDATE_GOLDEN is set, to be reviewed as a diff."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[3]
DATA = ROOT / "tests" / "data" / "config"


def old_options() -> list[tuple[str, str]]:
    """Every option of connbeat 5.6 with its default there, "" where there was none.

    From the `config:"..."` tags of its own settings, of libbeat 5.6.9 and of beats-output-http.
    """
    text = (DATA / "old" / "options-5.6.tsv").read_text(encoding="utf-8")
    rows = (line.partition("\t") for line in text.splitlines())
    return [(key, default) for key, _, default in rows]


def assert_golden(path: Path, found: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(found, encoding="utf-8")
    assert path.exists(), f"{path.name} is missing: UPDATE_GOLDEN=1 writes it"
    assert found == path.read_text(encoding="utf-8")
