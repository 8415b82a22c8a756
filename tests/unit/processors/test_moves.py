from connbeat.processors.moves import in_order
from connbeat.processors.protocol import Processor, ProcessorFailed


def adds(key: str) -> Processor:
    return lambda document: {**document, key: 1}


def fails(_: object) -> None:
    raise ProcessorFailed("no")


def test_all_are_done_one_after_another() -> None:
    assert in_order((adds("a"), adds("b")), fail_on_error=True)({}) == {"a": 1, "b": 1}


def test_without_fail_on_error_one_that_fails_costs_only_itself() -> None:
    assert in_order((adds("a"), fails, adds("b")), fail_on_error=False)({}) == {"a": 1, "b": 1}


def test_after_one_that_drops_the_event_there_are_no_more() -> None:
    assert in_order((lambda _: None, fails), fail_on_error=True)({}) is None
