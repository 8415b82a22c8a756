import os
from pathlib import Path

import pytest

from connbeat.config import reader
from connbeat.config.faults import Findings
from connbeat.config.reader import files_to_read, is_the_systems, read_file, working_directory
from connbeat.config.tree import to_plain
from connbeat.errors import ConfigError


def read(path: Path, *, strict_permissions: bool = True) -> object:
    findings = Findings()
    node = read_file(path, findings, strict_permissions=strict_permissions)
    findings.raise_faults()
    return to_plain(node)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "connbeat.yml"
    path.write_text("name: x\n")
    path.chmod(0o600)
    return path


def test_a_file_of_our_own_is_read(config: Path) -> None:
    assert read(config) == {"name": "x"}


def test_a_byte_order_mark_is_no_part_of_the_first_key(config: Path) -> None:
    config.write_bytes(b"\xef\xbb\xbfname: x\n")
    assert read(config) == {"name": "x"}


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_refused(config: Path, mode: int) -> None:
    config.chmod(mode)
    with pytest.raises(ConfigError, match=rf"may be written by others \(mode {mode:04o}\)"):
        read(config)
    assert read(config, strict_permissions=False) == {"name": "x"}


def test_a_file_of_another_user_is_refused(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = config.stat().st_uid
    if owner == 0:
        os.chown(config, 65534, -1)
        owner = 65534
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(ConfigError, match=f"belongs to uid {owner}, expected uid {owner + 1}"):
        read(config)


def test_a_link_is_as_good_as_the_file_it_leads_to(config: Path) -> None:
    link = config.with_name("link.yml")
    link.symlink_to(config)
    assert read(link) == {"name": "x"}
    config.chmod(0o666)
    with pytest.raises(ConfigError):
        read(link)


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.yml: cannot be read: No such file"):
        read(tmp_path / "gone.yml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "nul\0.yml")


def test_what_is_far_too_large_is_not_read_to_its_end(config: Path) -> None:
    with config.open("w") as file:
        file.truncate(1 << 40)
    with pytest.raises(ConfigError, match="larger than 1048576 bytes"):
        read(config)


def test_bytes_that_are_no_utf_8_have_their_line(config: Path) -> None:
    config.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ConfigError, match=r"connbeat\.yml:2: not YAML: it is not valid UTF-8"):
        read(config)


def test_files_of_the_command_line_are_looked_up_in_the_configuration_directory() -> None:
    assert files_to_read(["a.yml", "/b.yml"], None) == (Path("a.yml"), Path("/b.yml"))
    assert files_to_read(["a.yml", "/b.yml"], "/etc/x") == (Path("/etc/x/a.yml"), Path("/b.yml"))


def test_the_usual_places_are_the_working_directory_and_then_etc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, system = tmp_path / "here", tmp_path / "etc" / "connbeat.yml"
    here.mkdir()
    system.parent.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(reader, "SYSTEM_FILE", system)

    assert files_to_read([], None) == ()
    system.touch()
    assert files_to_read([], None) == (system,)
    (here / "connbeat.yml").touch()
    assert files_to_read([], None) == (Path("connbeat.yml"),)
    assert files_to_read([], str(tmp_path)) == ()
    assert files_to_read([], str(here)) == (here / "connbeat.yml",)


def test_a_file_of_etc_is_the_systems_however_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "SYSTEM_FILE", tmp_path / "connbeat.yml")
    monkeypatch.chdir(tmp_path)

    assert is_the_systems(tmp_path / "other.yml")
    assert is_the_systems(Path("connbeat.yml"))
    assert not is_the_systems(tmp_path / "below" / "connbeat.yml")


def test_a_place_that_cannot_be_looked_at_is_told_rather_than_passed_over(tmp_path: Path) -> None:
    too_long = str(tmp_path / ("x" * 300))
    path = Path(too_long) / "connbeat.yml"
    assert files_to_read([], too_long) == (path,)
    with pytest.raises(ConfigError, match="cannot be read: File name too long"):
        read(path)


def test_a_link_to_nothing_is_told_rather_than_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("connbeat.yml").symlink_to("gone")
    assert files_to_read([], None) == (Path("connbeat.yml"),)


def test_a_removed_working_directory_is_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert working_directory() == str(tmp_path)
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    try:
        assert working_directory() == "/"
    finally:
        os.chdir(tmp_path)
