import re

from connbeat.cli.arguments import parse_arguments
from connbeat.config.migration import migration_tables
from tests.unit.config.goldens import ROOT, assert_golden, old_options

PAGE = ROOT / "docs" / "migration.md"
END = "<!-- end of tables -->"


def test_the_page_says_of_every_old_option_what_the_table_of_options_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    begin = page.index("\n", page.index("<!-- tables:")) + 1
    tables = migration_tables(old_options())
    assert_golden(PAGE, f"{page[:begin]}\n{tables}\n{page[page.index(END) :]}")


def test_every_old_option_has_a_row() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", migration_tables(old_options()), re.MULTILINE)
    assert rows == [key for key, _ in old_options()]
    assert len(rows) > 200


def test_a_row_tells_the_fate_and_a_default_that_changed() -> None:
    tables = migration_tables(
        [
            ("tags", ""),
            ("output.kafka.required_acks", "1"),
            ("output.kafka.max_message_bytes", "1000000"),
            ("output.kafka.max_retries", "3"),
            ("output.http.tls.key", ""),
            ("queue_size", "1000"),
            ("connbeat.enable_tcp_diag", "false"),
        ]
    )
    assert [
        line.split(" | ")[2].rstrip(" |") for line in tables.splitlines() if "`" in line[:3]
    ] == [
        "as it was",
        "as it was, but the default is `-1`",
        "as it was",
        "as it was, but the default is without limit",
        "another name of `output.http.ssl.key`",
        "a warning: it has no meaning any more. queue.mem.events is the limit.",
        "as it was; unset, capture climbs as high as it may",
    ]


def test_every_flag_the_page_names_is_still_understood() -> None:
    page = PAGE.read_text(encoding="utf-8")
    table = page[page.index("| flag of 5.6 |") : page.index("Exit codes are")]
    flags = re.findall(
        r"`(-[\w.]+)", "".join(row.split("|")[1] for row in table.splitlines() if row)
    )
    assert len(flags) > 15
    takes_value = {"-c", "-E", "-d", "-httpprof", "-cpuprofile", "-memprofile", "-plugin"}
    for flag in flags:
        needs = flag in takes_value or flag.startswith("-path.")
        parse_arguments([flag, "x"] if needs else [flag])
