import resource
from collections.abc import Iterator

import pytest

from connbeat.linux.rlimits import raise_descriptor_limit

FILES = resource.RLIMIT_NOFILE


@pytest.fixture
def hard() -> Iterator[int]:
    """The hard limit, with a soft one below it until the test is over."""
    before = resource.getrlimit(FILES)
    resource.setrlimit(FILES, (min(256, before[1]), before[1]))
    yield before[1]
    resource.setrlimit(FILES, before)


def test_as_many_descriptors_as_the_hard_limit_allows(hard: int) -> None:
    raise_descriptor_limit()
    assert resource.getrlimit(FILES) == (hard, hard)


def test_a_system_that_refuses_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_what: int, _limits: tuple[int, int]) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    raise_descriptor_limit()
