"""Golden files: compared, or written anew when UPDATE_GOLDEN is set, to be reviewed as a diff."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[3]
DATA = ROOT / "tests" / "data" / "config"


def assert_golden(path: Path, found: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(found, encoding="utf-8")
    assert path.exists(), f"{path.name} is missing: UPDATE_GOLDEN=1 writes it"
    assert found == path.read_text(encoding="utf-8")
