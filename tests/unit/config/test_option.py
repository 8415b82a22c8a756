from connbeat.config.kinds import Text
from connbeat.config.option import Option, Status, alias, below, known


def test_options_move_into_a_section_together_with_what_they_stand_for() -> None:
    options = (Option("a.b", Text(), "text"), alias("old", "a.b"))
    moved = below("output.x", options)
    assert [option.key for option in moved] == ["output.x.a.b", "output.x.old"]
    assert [option.stands_for for option in moved] == ["", "output.x.a.b"]


def test_known_keys_share_a_reason() -> None:
    options = known(Status.OBSOLETE, "Gone.", "p.", "a b.c")
    assert [(option.key, option.text) for option in options] == [
        ("p.a", "Gone."),
        ("p.b.c", "Gone."),
    ]
