import re

import pytest

from connbeat.cli.options import Options
from connbeat.cli.version import run, version_line


def test_the_version_names_architecture_and_python(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Options()) == 0
    assert re.fullmatch(r"connbeat \S+ \(\S+\), Python 3\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("machine", "name"), [("x86_64", "amd64"), ("aarch64", "arm64"), ("riscv64", "riscv64")]
)
def test_architectures_have_the_names_that_docker_gives_them(machine: str, name: str) -> None:
    assert f"({name})" in version_line(machine)
