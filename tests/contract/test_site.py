"""The documentation as a site: built without a warning, nothing in it loaded from elsewhere."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_LOADED = re.compile(
    r"""<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=["']?(https?:)?//"""
)


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "-f",
        str(config),
        "-d",
        str(site),
    ]
    environ = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def copy_with(folder: Path, name: str, text: str) -> Path:
    """The configuration of a copy of docs/ in which one page is another."""
    shutil.copytree(ROOT / "docs", folder / "docs")
    (folder / "docs" / name).write_text(text)
    config = folder / "mkdocs.yml"
    hooks = ROOT / "scripts" / "site_pages.py"
    config.write_text(
        f"INHERIT: {ROOT / 'mkdocs.yml'}\ndocs_dir: {folder / 'docs'}\nhooks: [{hooks}]\n"
    )
    return config


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    result = build(ROOT / "mkdocs.yml", folder)
    assert result.returncode == 0, result.stderr
    return folder


def test_the_site_is_built_without_a_warning(site: Path) -> None:
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    assert {"index.html", "quickstart.html", "operations.html", "adr/0001-threads.html"} <= pages
    documents = {path.stem for path in (ROOT / "docs").rglob("*.md")}
    assert documents <= {Path(page).stem for page in pages}


def test_nothing_in_it_is_loaded_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert _LOADED.search(page.read_text()) is None, page
    for sheet in site.rglob("*.css"):
        assert "url(http" not in sheet.read_text(), sheet


@pytest.mark.parametrize(
    "fault",
    ["[gone](gone.md)", "[gone](operations.md#no-such-heading)", "[gone](../docs/gone.md)"],
)
def test_a_link_to_nowhere_fails_the_build(fault: str, tmp_path: Path) -> None:
    result = build(
        copy_with(tmp_path, "index.md", f"# A page\n\nSee {fault}.\n"), tmp_path / "site"
    )
    assert result.returncode != 0
    assert "'index.md'" in result.stderr


def test_a_page_that_is_in_no_list_fails_the_build(tmp_path: Path) -> None:
    result = build(copy_with(tmp_path, "forgotten.md", "# Forgotten\n"), tmp_path / "site")
    assert result.returncode != 0
    assert "forgotten.md" in result.stderr
