from connbeat.cli.completion import offers
from connbeat.cli.flags import MORE_FLAGS
from connbeat.cli.shells.offers import filled, quoted


def test_words_follow_words() -> None:
    words = offers().words()
    assert "run" in words[""]
    assert words[""]["test"] == "config, output"
    assert set(words["test"]) == {"config", "output"}
    assert words["help test"] == words["test"]
    assert words["help"] == words[""]


def test_a_flag_knows_its_commands() -> None:
    (flag,) = (flag for flag in MORE_FLAGS if flag.names == ("--es.version",))
    assert offers().commands_with(flag) == ["export template"]


def test_quotes_cannot_be_left() -> None:
    assert quoted('$x `y` "z"') == "'$x `y` \"z\"'"
    assert quoted("agent's") == "'agent\u2019s'"


def test_a_template_is_filled() -> None:
    assert filled("@A@ and @B@", A="1", B="2") == "1 and 2"
