from hypothesis import given
from hypothesis import strategies as st

from connbeat.model.conditions import parse_condition
from tests.unit.processors.documents import documents
from tests.unit.processors.trying import EVENT, Trial, tried


def test_an_event_is_dropped_and_counted_under_its_label() -> None:
    trial = Trial("- drop_event: {tag: all}")
    assert trial() is None
    assert trial.accounts.drops == ["drop_event all"]


def test_one_that_the_condition_does_not_fit_goes_on() -> None:
    assert tried("- drop_event.when.equals.remote_port: 22") is EVENT


@given(documents, st.sampled_from(["a", "b", "a.b"]), st.integers(0, 2))
def test_it_drops_what_its_condition_fits_and_nothing_else(
    document: dict[str, object], name: str, value: int
) -> None:
    fits = parse_condition({"equals": {name: value}})
    result = Trial(f"- drop_event.when.equals: {{{name}: {value}}}")(document)
    assert (result is None) == fits(document)
