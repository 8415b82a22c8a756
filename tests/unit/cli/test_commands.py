import pytest

from connbeat.cli.commands import COMMANDS, group
from connbeat.cli.flags import MORE_FLAGS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_text_and_an_example_of_itself(name: str) -> None:
    command = COMMANDS[name]
    assert command.text[0].islower()
    assert not command.text.endswith(".")
    begin = "connbeat" if name == "run" else f"connbeat {name}"
    assert any(begin in example for example in command.examples)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_names_only_flags_that_exist(name: str) -> None:
    known = {flag.names[0] for flag in MORE_FLAGS}
    assert set(COMMANDS[name].flags) <= known


def test_the_commands_of_a_first_word_are_found_by_it() -> None:
    assert group("test") == ("test config", "test output")
    assert group("run") == ()
    assert group("") == ()
