import re

import pytest

from connbeat.config.document import parse_document
from connbeat.config.faults import Findings
from connbeat.config.processors.kind import Processors
from connbeat.config.processors.reference import with_tables
from connbeat.config.processors.registry import PROCESSORS
from connbeat.config.tree import find
from tests.unit.config.goldens import ROOT, assert_golden

PAGE = ROOT / "docs" / "processors.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


def test_the_page_has_the_tables_of_this_version() -> None:
    assert_golden(PAGE, with_tables(TEXT))


def test_every_processor_has_its_section_and_every_option_its_row() -> None:
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", TEXT, re.DOTALL | re.MULTILINE))
    assert set(sections) == set(PROCESSORS)
    missing = [
        f"{name}.{option.key}"
        for name, declared in PROCESSORS.items()
        for option in declared.options
        if f"| `{option.key}` |" not in sections[name]
    ]
    assert missing == []
    assert [name for name, text in sections.items() if "```yaml" not in text] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_configuration(example: str) -> None:
    findings = Findings()
    node = find(parse_document(example, "f.yml", findings), "processors")
    findings.raise_faults()
    assert node is not None
    assert Processors().parse(node)
