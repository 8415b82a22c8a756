import re
from pathlib import Path

import pytest

from connbeat.config.load import Sources, load
from connbeat.config.option import Status
from connbeat.config.options import OPTIONS
from connbeat.config.reference_file import reference_file
from connbeat.config.schema import Settings
from tests.unit.config.goldens import ROOT, assert_golden

REFERENCE = reference_file()
#: Each option as a line of its own, by key.
LINES = {
    match[1]: match[0].removeprefix("#")
    for match in re.finditer(r"^#?([a-z][\w.]*):.*$", REFERENCE, re.MULTILINE)
}
USED = [key for key, option in OPTIONS.items() if option.status is Status.USED]


def loaded(path: Path, text: str) -> Settings:
    path.write_text(text, encoding="utf-8")
    found = load(Sources(files=(str(path),), has_strict_permissions=False), {})
    assert found.warnings == ()
    return found.settings


def test_the_file_is_that_of_this_version() -> None:
    assert_golden(ROOT / "connbeat.reference.yml", REFERENCE)


def test_it_has_every_option_that_is_used_once() -> None:
    assert sorted(LINES) == sorted(USED)
    assert len(re.findall(r"^#?[a-z][\w.]*:", REFERENCE, re.MULTILINE)) == len(USED)


def test_it_means_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "c.yml"
    assert loaded(path, REFERENCE) == loaded(path, "")


@pytest.mark.parametrize("key", USED)
def test_each_line_alone_is_right(key: str, tmp_path: Path) -> None:
    """With what an output cannot be without; and what it sets is the default or an example."""
    output = ".".join(key.split(".")[:2])
    needed = [
        line
        for other, line in LINES.items()
        if line.endswith("# an example") and other.startswith(f"{output}.") and other != key
    ]
    path = tmp_path / "c.yml"
    with_line = loaded(path, "\n".join([*needed, LINES[key]]))
    is_default = not LINES[key].endswith("# an example") and ".ssl." not in key
    if needed and is_default:
        assert with_line == loaded(path, "\n".join(needed))
