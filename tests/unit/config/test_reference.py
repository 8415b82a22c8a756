from connbeat.config.options import OPTIONS
from connbeat.config.reference import option_tables
from tests.unit.config.goldens import ROOT, assert_golden

PAGE = ROOT / "docs" / "configuration.md"
END = "<!-- end of options -->"


def test_the_page_has_the_tables_of_this_version() -> None:
    page = PAGE.read_text(encoding="utf-8")
    begin = page.index("\n", page.index("<!-- options:")) + 1
    assert_golden(PAGE, f"{page[:begin]}\n{option_tables()}\n{page[page.index(END) :]}")


def test_every_option_is_in_the_tables() -> None:
    tables = option_tables()
    missing = [
        key
        for key in OPTIONS
        if f"`{key}`" not in tables
        and f"`{key.split('.', 2)[-1]}`" not in tables
        and f"`output.*.{key.split('.', 2)[-1]}`" not in tables
    ]
    assert missing == []


def test_a_default_is_shown_as_it_would_be_written() -> None:
    assert "| `connbeat.aggregation` | duration | `30s` |" in option_tables()
    assert "| `output.file.permissions` | file mode | `0600` |" in option_tables()
