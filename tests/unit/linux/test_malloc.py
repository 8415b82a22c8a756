import ctypes

import pytest

from connbeat.linux.malloc import return_large_blocks


class Library:
    """A C library that notes what is set."""

    def __init__(self) -> None:
        self.options: list[tuple[int, int]] = []

    def mallopt(self, option: int, value: int) -> int:
        self.options.append((option, value))
        return 1


def test_blocks_of_128_kb_are_mapped_and_stay_so(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: library)
    return_large_blocks()
    assert library.options == [(-3, 131072)]


def test_a_c_library_without_it_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    return_large_blocks()
