from pathlib import Path

import pytest

from connbeat.cli.options import Options, PathOverrides
from connbeat.cli.settings import load_configuration, load_settings, with_log_flags
from connbeat.config.schema import LoggingConfig
from connbeat.errors import ConfigError


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "connbeat.yml"
    path.write_text("logging.level: error\nname: ${NAME:none}\nqueue_size: 5\n")
    path.chmod(0o600)
    return str(path)


def test_the_command_line_becomes_settings(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = Options(
        config_files=(config,),
        overrides=("tags=[a]",),
        debug_selectors=("docker",),
        paths=PathOverrides(data="/d"),
    )
    settings = load_settings(options, {"NAME": "n"})

    assert (settings.name, settings.tags, settings.path.data) == ("n", ("a",), "/d")
    assert (settings.logging.level, settings.logging.selectors) == ("debug", ("docker",))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("warning: ")
    assert printed.err.count("\n") == 1


def test_a_log_that_goes_nowhere_is_warned_of(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = ("logging.to_stderr=false", "logging.to_files=false")
    load_settings(Options(config_files=(config,), overrides=nowhere), {})
    assert "warning: logging: it goes nowhere" in capsys.readouterr().err
    load_settings(Options(config_files=(config,), overrides=nowhere, log_to_stderr=True), {})
    load_settings(Options(config_files=(config,), overrides=nowhere[:1]), {})
    assert "it goes nowhere" not in capsys.readouterr().err


def test_what_the_settings_came_from_is_known(config: str) -> None:
    loaded = load_configuration(Options(config_files=(config,)), {})
    assert loaded.files == (config,)
    assert loaded.settings.logging.level == "error"


def test_unknown_keys_are_faults_unless_asked_otherwise(config: str) -> None:
    options = Options(config_files=(config,), overrides=("nonsense=1",))
    with pytest.raises(ConfigError, match="nonsense"):
        load_settings(options, {})
    assert load_settings(options._replace(unknown_keys="warn"), {}).name == "none"


def test_strict_permissions_can_be_switched_off(config: str) -> None:
    Path(config).chmod(0o666)
    options = Options(config_files=(config,))
    with pytest.raises(ConfigError, match="may be written by others"):
        load_settings(options, {})
    assert load_settings(options._replace(strict_permissions=False), {}).name == "none"


@pytest.mark.parametrize(
    ("options", "level", "selectors"),
    [
        (Options(), "warning", ("a",)),
        (Options(verbose=True), "info", ("a",)),
        (Options(debug_selectors=("*",)), "debug", ("*",)),
        (Options(verbose=True, debug_selectors=("b",)), "debug", ("b",)),
    ],
)
def test_log_flags_raise_the_level(
    options: Options, level: str, selectors: tuple[str, ...]
) -> None:
    logging = with_log_flags(LoggingConfig(level="warning", selectors=("a",)), options)
    assert (logging.level, logging.selectors) == (level, selectors)


def test_verbose_does_not_lower_debug_and_e_means_stderr_and_nothing_else() -> None:
    logging = LoggingConfig(level="debug", to_stderr=False, to_files=True, to_syslog=True)
    found = with_log_flags(logging, Options(verbose=True, log_to_stderr=True))
    assert (found.level, found.to_stderr) == ("debug", True)
    assert (found.to_files, found.to_syslog) == (False, False)
