import pytest

from connbeat.config.kinds import Mismatch
from connbeat.config.processors.kind import Processors
from connbeat.config.tree import Node, Place, plain_node
from tests.unit.processors.trying import steps_of


def test_what_is_no_list_is_refused_and_a_list_may_be_empty() -> None:
    with pytest.raises(Mismatch, match="a list of processors"):
        Processors().parse(plain_node("drop_event", Place("f")))
    assert Processors().parse(Node((), Place("f"))) == ()


def test_there_are_not_so_many_that_an_event_could_not_go_through() -> None:
    steps_of("- drop_event:\n" * 200)
    with pytest.raises(Mismatch, match="at most 200"):
        steps_of("- drop_event:\n" * 201)
