import io
import sys
from pathlib import Path

import pytest

from connbeat.cli.arguments import parse_arguments
from connbeat.cli.keystore import run
from connbeat.errors import ConfigError, KeystoreError


class Keeper:
    """`connbeat keystore ...` with a data directory of its own."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._patch = patch

    def __call__(self, *words: str, stdin: str = "") -> None:
        self._patch.setattr(sys, "stdin", io.StringIO(stdin))
        argv = ["keystore", *words, "--path.data", str(self._folder)]
        assert run(parse_arguments(argv)) == 0


@pytest.fixture
def keystore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keeper:
    monkeypatch.chdir(tmp_path)
    return Keeper(tmp_path, monkeypatch)


def test_a_secret_goes_in_and_only_its_name_comes_out(
    keystore: Keeper, capsys: pytest.CaptureFixture[str]
) -> None:
    keystore("create")
    keystore("add", "ES_PASSWORD", "--stdin", stdin="hunter2\n")
    keystore("add", "B", "--stdin", stdin="hunter2")
    keystore("list")
    keystore("remove", "B")
    keystore("list")
    printed = capsys.readouterr().out
    assert "hunter2" not in printed
    assert printed.splitlines()[-4:] == [
        "B",
        "ES_PASSWORD",
        "Removed B from the keystore",
        "ES_PASSWORD",
    ]


def test_a_name_that_is_there_is_refused_without_force(keystore: Keeper) -> None:
    keystore("create")
    keystore("add", "A", "--stdin", stdin="1")
    with pytest.raises(KeystoreError, match="has A already; --force replaces it"):
        keystore("add", "A", "--stdin", stdin="2")
    keystore("add", "A", "--stdin", "--force", stdin="2")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("add", "A"), "--stdin reads it from there"),
        (("add", "A", "--stdin"), "the value is empty"),
        (("add", "a b", "--stdin"), "expected a KEY of letters"),
        (("add", "${A}", "--stdin"), "expected a KEY of letters"),
        (("add",), "expected connbeat keystore add KEY"),
        (("remove",), "expected connbeat keystore remove KEY"),
    ],
)
def test_what_makes_no_secret_is_refused(
    keystore: Keeper, words: tuple[str, ...], text: str
) -> None:
    keystore("create")
    with pytest.raises((KeystoreError, ConfigError), match=text.replace("$", r"\$")):
        keystore(*words, stdin="\n")


def test_the_keystore_of_a_configuration_can_be_made_before_its_secrets_are_there(
    keystore: Keeper, tmp_path: Path
) -> None:
    config = tmp_path / "connbeat.yml"
    config.write_text("output.http.password: ${NOT_YET}\nkeystore.path: ${path.data}/mine\n")
    config.chmod(0o600)
    keystore("create", "-c", str(config))
    assert (tmp_path / "mine").exists()


def test_the_check_of_the_mode_can_be_skipped_in_both_ways(
    keystore: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keystore("create")
    (tmp_path / "connbeat.keystore").chmod(0o644)
    with pytest.raises(KeystoreError, match="may be used by others"):
        keystore("list")
    keystore("list", "--strict.perms=false")
    monkeypatch.setenv("BEAT_STRICT_PERMS", "false")
    keystore("list")


def test_a_value_that_is_no_text_is_refused_and_not_shown(keystore: Keeper) -> None:
    keystore("create")
    with pytest.raises(KeystoreError, match=r"^the value is not valid UTF-8$"):
        keystore("add", "A", "--stdin", stdin="hunter\udcff")
