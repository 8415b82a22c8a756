"""What the script says; that fish understands it was tried by hand, with `complete -C`."""

from connbeat.cli.completion import offers
from connbeat.cli.shells.fish import fish_script

SCRIPT = fish_script(offers())


def test_flags_have_their_texts_and_values() -> None:
    assert "complete -c connbeat -s c -r -F -d 'configuration file; repeatable" in SCRIPT
    assert "-l path.data -x -a '(__fish_complete_directories)' -d" in SCRIPT
    assert "-l unknown-keys -x -a 'error warn' -d" in SCRIPT
    assert "-s h -l help -d 'print this'" in SCRIPT
    assert """-n '__connbeat_is "show" "doctor" "test output"' -l json -d""" in SCRIPT


def test_words_follow_words() -> None:
    assert """-n '__connbeat_after ""' -a run -d 'observe""" in SCRIPT
    assert """-n '__connbeat_after "test"' -a config -d 'check""" in SCRIPT
