"""No command in the README or the quick start that no test calls."""

import ast
from pathlib import Path

import pytest

from tests.documented import CALLED_BY, PAGES, ROOT, commands

by_name = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)


@by_name
def test_every_command_of_the_page_is_called_by_a_test(page: Path) -> None:
    assert commands(page) != []
    unknown = [command for command in commands(page) if command not in CALLED_BY]
    assert unknown == [], "call them in a test, and say which in tests/documented.py"


def test_no_command_is_called_that_no_page_tells_of() -> None:
    told = {command for page in PAGES for command in commands(page)}
    assert sorted(set(CALLED_BY) - told) == [], "gone: take them off tests/documented.py"


def test_the_tests_that_call_them_are_there() -> None:
    missing = []
    for place in set(CALLED_BY.values()):
        path, _, name = place.partition("::")
        if not (ROOT / path).is_file() or (name and name not in functions(ROOT / path)):
            missing.append(place)
    assert missing == []


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_a_command_is_found_in_a_block_and_in_a_line(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Call `make this`, or `connbeat show --json`; `make` alone is no command.\n\n"
        "```sh\nmake setup   # a remark\n# another\n\ndocker run \\\n  --rm x#y\n```\n\n"
        "```\nmake nothing\n```\n"
    )
    assert commands(page) == [
        "make setup",
        "docker run --rm x#y",
        "make this",
        ".venv/bin/connbeat show --json",
    ]
