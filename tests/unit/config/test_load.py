from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.config import reader
from connbeat.config.load import Loaded, Sources, load
from connbeat.config.options import OPTIONS, SECTION_NAMES
from connbeat.config.schema import Settings
from connbeat.errors import ConfigError
from connbeat.outputs.console.config import ConsoleConfig
from connbeat.outputs.file.config import FileConfig
from tests.unit.config.goldens import DATA, assert_golden
from tests.unit.config.scenarios import load_scenario

BROKEN = sorted((DATA / "broken").glob("*.yml"))


def load_text(
    text: str,
    tmp_path: Path,
    overrides: Sequence[str] = (),
    environment: Mapping[str, str] = {},
    **sources: object,
) -> Loaded:
    path = tmp_path / "connbeat.yml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return load(
        Sources(files=(str(path),), overrides=tuple(overrides), **sources),  # type: ignore[arg-type]  # of the test's own choice
        environment,
    )


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_configuration_is_told_as_the_golden_file_says(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_scenario(path, tmp_path)

    lines = [
        fault.replace(f"{tmp_path}/", "").replace(f"{tmp_path}", ".")
        for fault in caught.value.faults
    ]
    assert "s3cret" not in "".join(lines)
    assert_golden(path.with_suffix(".txt"), "".join(f"{line}\n" for line in lines))


def test_there_are_enough_broken_configurations() -> None:
    assert len(BROKEN) >= 60


@pytest.mark.parametrize("path", sorted((DATA / "old").glob("*.yml")), ids=lambda path: path.stem)
def test_a_configuration_of_2017_starts_with_the_warnings_of_the_golden_file(path: Path) -> None:
    loaded = load(Sources(files=(str(path),), has_strict_permissions=False), {"HOSTNAME": "h1"})

    lines = [warning.replace(f"{path.parent}/", "") for warning in loaded.warnings]
    assert_golden(path.with_suffix(".txt"), "".join(f"{line}\n" for line in lines))


def test_the_system_tests_of_the_original_start_unchanged(tmp_path: Path) -> None:
    text = """
connbeat:
  expose_cmdline: true
  expose_environ: true
  enable_local_connections: false
  enable_docker: true

output.file:
  path: /tmp/output
  filename: "connbeat"
  rotate_every_kb: 1000
  #number_of_files: 7
"""
    settings = load_text(text, tmp_path).settings

    assert settings.connbeat.enable_docker is True
    assert settings.connbeat.enable_local_connections is False
    assert settings.outputs["file"] == FileConfig(path="/tmp/output", rotate_every_kb=1000)
    assert "console" not in settings.outputs


def test_nothing_at_all_is_the_defaults_on_the_console(tmp_path: Path) -> None:
    loaded = load_text("", tmp_path)

    assert loaded.settings.outputs["console"] == ConsoleConfig()
    assert loaded.settings.connbeat == Settings().connbeat
    assert loaded.warnings == ()


def test_sections_merge_key_by_key_and_lists_item_by_item(tmp_path: Path) -> None:
    second = tmp_path / "second.yml"
    second.write_text("connbeat:\n  aggregation: 5s\ntags: [c]\nlogging:\n")
    second.chmod(0o600)
    first = tmp_path / "first.yml"
    first.write_text("connbeat.poll_interval: 1s\ntags: [a, b]\nlogging.level: error\n")
    first.chmod(0o600)

    loaded = load(Sources(files=(str(first), str(second))), {})
    settings = loaded.settings

    assert settings.connbeat.poll_interval_seconds == 1
    assert settings.connbeat.aggregation_seconds == 5
    assert settings.tags == ("c", "b")
    assert settings.logging.level == "error"
    assert [warning.replace(f"{tmp_path}/", "") for warning in loaded.warnings] == [
        (
            "second.yml:3: tags: a list of 1 laid over one of 2 (first.yml:2), whose last 1 stay;"
            " lists are merged item by item"
        )
    ]


def test_faults_of_all_files_and_overrides_come_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text("name: [a]\n", tmp_path, overrides=["tags={a: 1}", "=x", "output.file"])

    assert [fault.rpartition(f"{tmp_path}/")[2] for fault in caught.value.faults] == [
        "connbeat.yml:1: name: found a list, expected a text",
        "-E: expected key=value, in UTF-8",
        "-E: tags: found a section, expected a list such as [a, b]",
        "-E: output.file: found 'true', expected a section with keys such as output.file.enabled",
    ]


def test_overrides_win_in_their_order_and_a_bare_key_is_true(tmp_path: Path) -> None:
    overrides = ["name=one", "name=two", "fields_under_root", "tags=a,b", "fields={a.b: 1}"]
    settings = load_text("name: file\n", tmp_path, overrides).settings

    assert settings.name == "two"
    assert settings.fields_under_root is True
    assert settings.tags == ("a", "b")
    assert settings.fields == {"a": {"b": 1}}


def test_an_override_that_is_no_utf_8_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="UTF-8"):
        load_text("", tmp_path, overrides=["name=\udcff"])


def test_paths_of_the_command_line_win_and_can_be_referred_to(tmp_path: Path) -> None:
    text = "path.home: /other\npath.logs: ${path.data}/logs\noutput.file.path: ${path.logs}\n"
    path = tmp_path / "connbeat.yml"
    path.write_text(text)
    path.chmod(0o600)

    sources = Sources(files=(str(path),), paths={"path.home": "/srv/${literal}"})
    settings = load(sources, {}).settings

    assert settings.path.home == settings.path.config == "/srv/${literal}"
    assert settings.path.data == "/srv/${literal}/data"
    assert settings.outputs["file"] == FileConfig(path="/srv/${literal}/data/logs")


def test_what_the_systems_configuration_keeps_is_where_packages_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = tmp_path / "etc" / "connbeat.yml"
    system.parent.mkdir()
    monkeypatch.setattr(reader, "SYSTEM_FILE", system)
    text = "path.logs: ${path.data}/logs\n"
    kept = load_text(text, system.parent).settings.path
    moved = load_text("path.home: /h\n", system.parent).settings.path

    assert (kept.config, kept.data) == ("/etc/connbeat", "/var/lib/connbeat")
    assert kept.logs == "/var/lib/connbeat/logs"
    assert (moved.config, moved.data) == ("/h", "/h/data")


def test_a_path_without_value_is_the_default(tmp_path: Path) -> None:
    settings = load_text("path:\n  data:\n  home: /h\n", tmp_path).settings
    assert settings.path.data == "/h/data"


def test_environment_variables_are_typed_as_if_they_stood_there(tmp_path: Path) -> None:
    text = 'connbeat.poll_interval: ${POLL}\ntags: ["${TAG}"]\nfields: {n: "${N}"}\n'
    environment = {"POLL": "5s", "TAG": "010", "N": "7"}
    settings = load_text(text, tmp_path, environment=environment).settings

    assert settings.connbeat.poll_interval_seconds == 5
    assert settings.tags == ("010",)
    assert settings.fields == {"n": 7}


def test_unknown_keys_can_be_warnings(tmp_path: Path) -> None:
    loaded = load_text("connbeat.x: 1\n", tmp_path, are_unknown_keys_faults=False)
    assert [w.rpartition("/")[2] for w in loaded.warnings] == [
        "connbeat.yml:1: connbeat.x: unknown key"
    ]


def test_the_environment_can_switch_off_the_check_of_permissions(tmp_path: Path) -> None:
    path = tmp_path / "connbeat.yml"
    path.write_text("name: x\n")
    path.chmod(0o666)
    sources = Sources(files=(str(path),))

    with pytest.raises(ConfigError, match="may be written by others"):
        load(sources, {})
    assert load(sources, {"BEAT_STRICT_PERMS": "false"}).settings.name == "x"


def test_a_broken_path_section_is_told_and_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text("path: /x\n", tmp_path)
    assert [fault.rpartition(".yml")[2] for fault in caught.value.faults] == [
        ":1: path: found a text, expected a section with keys such as path.home"
    ]


SCALARS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["${", "${name}", "${X:}", "~", "2s", "-1", "yes", "1e999", "0600", "'", "[", "{"]
    ),
    st.integers().map(str),
    st.floats().map(str),
)
KEYS = st.one_of(st.sampled_from([*sorted(OPTIONS), *sorted(SECTION_NAMES)]), st.text(max_size=8))


@given(st.lists(st.tuples(KEYS, SCALARS), max_size=8), st.dictionaries(st.text(), st.text()))
def test_any_soup_of_keys_and_scalars_gives_settings_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory,
    pairs: list[tuple[str, str]],
    environment: dict[str, str],
) -> None:
    text = "".join(f"{key}: {value}\n" for key, value in pairs)
    _settings_or_config_error(tmp_path_factory, text, [], environment)


@given(st.text(), st.lists(st.text(), max_size=3))
def test_any_text_and_overrides_give_settings_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, text: str, overrides: list[str]
) -> None:
    _settings_or_config_error(tmp_path_factory, text, overrides, {})


@given(st.lists(st.tuples(KEYS, SCALARS), min_size=1, max_size=8))
def test_any_soup_of_overrides_gives_settings_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    overrides = [f"{key}={value}" for key, value in pairs]
    _settings_or_config_error(tmp_path_factory, "", overrides, {})


def _settings_or_config_error(
    tmp_path_factory: pytest.TempPathFactory,
    text: str,
    overrides: list[str],
    environment: dict[str, str],
) -> None:
    path = tmp_path_factory.getbasetemp() / "soup.yml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    path.chmod(0o600)
    sources = Sources(files=(str(path),), overrides=tuple(overrides))
    faults: tuple[str, ...] = ()
    try:
        settings = load(sources, environment).settings
    except ConfigError as error:
        settings, faults = Settings(outputs={"console": ConsoleConfig()}), error.faults
    assert all(fault.isprintable() for fault in faults)
    assert settings.outputs
