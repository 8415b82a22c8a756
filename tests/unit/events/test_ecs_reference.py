import re
from pathlib import Path

from connbeat.events.ecs_reference import ecs_reference
from connbeat.model.ecs_fields import ECS_FIELDS

PAGE = Path(__file__).parents[3] / "docs" / "events-ecs.md"


def test_the_page_is_the_catalogue_s() -> None:
    assert PAGE.read_text(encoding="utf-8") == ecs_reference(), "run `make docs`"


def test_the_page_has_a_row_for_every_field() -> None:
    rows = [line.split("`")[1] for line in ecs_reference().splitlines() if line.startswith("| `")]
    assert [name for name in rows if not name.startswith("local_process")] == [
        field.name for field in ECS_FIELDS
    ]


def test_the_rows_of_a_table_have_as_many_cells_as_its_head() -> None:
    tables = re.findall(r"(?:^\|.*\n)+", ecs_reference(), re.MULTILINE)
    assert len(tables) == 3
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
