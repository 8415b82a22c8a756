"""The protocol says no more than it needs; what keeps it is held by tests/contract."""

from pathlib import Path

from connbeat.outputs.console.client import ConsoleOutput
from connbeat.outputs.file.client import FileOutput
from connbeat.outputs.protocol import Output


def test_every_output_has_a_name_of_its_own(tmp_path: Path) -> None:
    outputs: list[Output] = [ConsoleOutput(), FileOutput(tmp_path, "connbeat")]
    assert len({output.name for output in outputs}) == len(outputs)
