import argparse
from pathlib import Path

import msgspec

from bench.figures import Measurement, summarise
from bench.record import Record

MEASUREMENTS = [Measurement("agent", {"CPU %": value}) for value in (1.0, 4.0, 2.0)]
RECORD = Record(
    command="python -m bench short",
    started_at="2026-11-24T10:00:00.000Z",
    kernel="6.18",
    python="3.11.7",
    cpus=2,
    load_average=(0.5, 0.4, 0.3),
    noise_percent=4.2,
    tables={"short": summarise(MEASUREMENTS)},
    measurements={"short": MEASUREMENTS},
)


def test_the_page_has_every_table_under_its_name_after_where_it_was_measured() -> None:
    heading, title, table = RECORD.as_markdown().strip().split("\n\n")
    assert "`python -m bench short`" in heading
    assert "Linux 6.18, 2 CPUs" in heading
    assert title == "### short"
    assert table.splitlines()[-1].startswith("| agent | 2 (1 to 4)")


def test_every_figure_of_every_run_is_written(tmp_path: Path) -> None:
    files = argparse.Namespace(json=tmp_path / "a" / "b.json", markdown=tmp_path / "c" / "d.md")
    RECORD.write(files)
    assert msgspec.json.decode(files.json.read_bytes(), type=Record) == RECORD
    assert files.markdown.read_text() == RECORD.as_markdown()
