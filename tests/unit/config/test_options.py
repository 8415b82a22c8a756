import re

import msgspec
import pytest

from connbeat.config.option import Option, Status
from connbeat.config.options import (
    OPTIONS,
    SECTION_NAMES,
    SECTIONS,
    attribute_of,
    default_of,
    section_of,
)
from connbeat.config.schema import Settings
from connbeat.config.tree import Place, plain_node
from tests.unit.config.goldens import old_options

OUTPUT_SWITCH = re.compile(r"output\.\w+\.(ssl\.)?enabled")
USED = [option for option in OPTIONS.values() if option.status is Status.USED]
# Whether an output is on is whether its section is there; the other fields are the sections.
WITHOUT_FIELD = {option.key for option in USED if OUTPUT_SWITCH.fullmatch(option.key)}


def test_every_option_that_is_used_has_its_field_and_every_field_its_option() -> None:
    structs: dict[str, type[msgspec.Struct]] = {"": Settings, **SECTIONS}
    fields = {
        (name, field.name)
        for name, struct in structs.items()
        for field in msgspec.structs.fields(struct)
    }
    sections = {("", name.replace(".", "_")) for name in SECTIONS} | {("", "outputs")}
    sections |= {(name.removesuffix(".ssl"), "ssl") for name in SECTIONS if name.endswith(".ssl")}
    options = {(section_of(o), attribute_of(o)) for o in USED if o.key not in WITHOUT_FIELD}
    # A shared option that one output cannot have is known there, and not used.
    unused = {
        (section_of(o), attribute_of(o) + suffix)
        for o in OPTIONS.values()
        if o.status is not Status.USED and section_of(o).startswith("output.")
        for suffix in ("", "_seconds")
    }
    assert options - (fields - sections) == set()
    assert fields - sections - unused == options - unused


def test_an_alias_stands_for_an_option_that_is_used() -> None:
    aliases = [option for option in OPTIONS.values() if option.status is Status.ALIAS]
    assert aliases
    assert {OPTIONS[option.stands_for].status for option in aliases} == {Status.USED}


@pytest.mark.parametrize("option", USED, ids=lambda option: option.key)
def test_every_default_would_be_accepted_if_somebody_wrote_it(option: Option) -> None:
    default = default_of(option)
    if default in (None, "", (), {}):
        return
    assert option.kind.parse(plain_node(option.kind.show(default), Place("f"))) == default


def test_no_option_is_a_section_at_the_same_time() -> None:
    assert not SECTION_NAMES & set(OPTIONS)


def test_every_option_of_5_6_is_known() -> None:
    assert [key for key, _ in old_options() if key not in OPTIONS] == []
