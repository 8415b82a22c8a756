import pytest

from connbeat.cli.completion import offers, run
from connbeat.cli.options import Options


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script_that_is_always_the_same(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Options(command=f"completion {shell}")
    assert (run(options), run(options)) == (0, 0)
    first, second = capsys.readouterr().out.split(f"# {shell} completion of connbeat ")[1:]
    assert first.removesuffix("#compdef connbeat\n") == second
    assert "@" not in first.replace('"$@"', "").replace("[@]", ""), "a part was not filled in"


def test_settings_and_parts_of_the_agent_are_offered() -> None:
    found = offers()
    assert "connbeat.poll_interval" in found.settings
    assert "queue_size" not in found.settings, "it has no meaning any more"
    assert {"capture", "agent", "outputs"} <= set(found.selectors)
