from pathlib import Path

import pytest

from connbeat.cli.options import Options, PathOverrides
from connbeat.cli.testing import run
from connbeat.errors import ConfigError


def options(tmp_path: Path, override: str) -> Options:
    """Those of a place where no connbeat.yml is."""
    return Options(overrides=(override,), paths=PathOverrides(config=str(tmp_path)))


def test_a_configuration_that_is_right_is_ok(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(options(tmp_path, "name=x")) == 0
    assert capsys.readouterr().out == "Config OK\n"


def test_a_configuration_that_is_wrong_is_not(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nonsense"):
        run(options(tmp_path, "nonsense=x"))
