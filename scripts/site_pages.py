"""Hooks of MkDocs: pages of the repository that lie outside of docs/, and the list of decisions.

A link is written as it is right in the repository, where most people read it; here it becomes one
that is right in the site.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]

#: Where a file of the repository stands in the site.
PAGES = {
    "bench/README.md": "bench.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
_DECISIONS = "Decisions"
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#:\s]+)(#[^)\s]*)?\)")
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The decisions, by their numbers, in their place of the navigation."""
    pages = [
        {_title(path): f"adr/{path.name}"} for path in sorted((ROOT / "docs" / "adr").glob("*.md"))
    ]
    for section in config.nav or []:
        for entries in section.values():
            for entry in entries if isinstance(entries, list) else ():
                if _DECISIONS in entry:
                    entry[_DECISIONS] = pages
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for source, uri in PAGES.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: object) -> str:
    """Links that leave docs/ lead to the pages above; those to source files are text here."""
    uri = page.file.src_uri
    written_in = next((name for name, place in PAGES.items() if place == uri), f"docs/{uri}")
    known = {file.src_uri for file in files}

    def moved(link: re.Match[str]) -> str:
        text, where, anchor = link.groups(default="")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(written_in), where))
        place = PAGES.get(target, target.removeprefix("docs/"))
        if place in known:
            return f"[{text}]({posixpath.relpath(place, posixpath.dirname(uri) or '.')}{anchor})"
        return text if (ROOT / target).exists() else link[0]

    return _LINK.sub(moved, markdown)


def _title(path: Path) -> str:
    found = _TITLE.search(path.read_text(encoding="utf-8"))
    return found[1] if found else path.stem
