"""What the script says; that zsh understands it was tried by hand, with its own completion."""

from connbeat.cli.completion import offers
from connbeat.cli.shells.zsh import zsh_script

SCRIPT = zsh_script(offers())


def test_it_works_as_a_file_of_fpath_and_sourced() -> None:
    assert SCRIPT.startswith("#compdef connbeat\n")
    assert SCRIPT.endswith("    compdef _connbeat connbeat\nfi\n")


def test_flags_have_their_texts_and_values() -> None:
    assert "'*-c[configuration file; repeatable, later ones win]:FILE:_files'" in SCRIPT
    assert "'(--path.data)--path.data=[the setting path.data]:DIR:_files -/'" in SCRIPT
    assert ":unknown-keys:(error warn)'" in SCRIPT
    assert "'(-h --help)-h[print this]' '(-h --help)--help[print this]'" in SCRIPT
    assert "('show'|'doctor'|'test output') flags+=('(--json)--json[" in SCRIPT


def test_words_follow_words() -> None:
    assert "('test') offer=('config:check the configuration and print Config OK' 'ou" in SCRIPT
