import pytest

from connbeat.agent.delivery.filters import WhenFilter
from tests.deliveries import event, events, ids


def test_without_a_condition_everything_is_wanted() -> None:
    assert WhenFilter(None).split(events(3)) == (events(3), ())


def test_events_are_split_in_their_order() -> None:
    wanted, unwanted = WhenFilter({"range": {"n": {"gte": 2, "lt": 4}}}).split(events(5))
    assert (ids(wanted), ids(unwanted)) == (["e2", "e3"], ["e0", "e1", "e4"])
    assert WhenFilter({"has_fields": ["n"]}).split(events(2)) == (events(2), ())


def test_what_is_no_document_is_wanted() -> None:
    broken = (event(0, b"nonsense"), event(1, b"[]"))
    assert WhenFilter({"has_fields": ["n"]}).split(broken) == (broken, ())


def test_what_is_no_condition_is_refused() -> None:
    with pytest.raises(ValueError, match="like"):
        WhenFilter({"like": {"a": 1}})
