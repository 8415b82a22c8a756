from pathlib import Path

from connbeat.cli.exit_codes import EXIT_CODES

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_documentation_has_every_exit_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    missing = [code for code, text in EXIT_CODES.items() if f"| `{code}` | {text} |" not in page]
    assert missing == []
