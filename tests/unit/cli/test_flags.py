from connbeat.cli.flags import FLAGS, MORE_FLAGS, WITHOUT_MEANING, Flag, flags_of


def test_no_name_is_that_of_two_flags() -> None:
    names = [name for flag in (*FLAGS, *MORE_FLAGS, *WITHOUT_MEANING) for name in flag.names]
    assert len(names) == len(set(names))


def test_a_flag_with_a_metavar_or_choices_has_a_value() -> None:
    assert not Flag(("-e",), "").has_value
    assert Flag(("-c",), "", "FILE").has_value
    assert Flag(("-x",), "", choices=("a", "b")).has_value


def test_a_default_is_one_of_the_choices() -> None:
    assert [flag for flag in FLAGS if flag.choices and flag.default not in flag.choices] == []


def test_a_command_has_its_own_flags_before_those_of_all() -> None:
    assert flags_of(("--json",))[0].names == ("--json",)
    assert flags_of(("--json",))[1:] == FLAGS
    assert flags_of(()) == FLAGS
