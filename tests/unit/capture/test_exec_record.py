"""One message between the exec reader's process and the agent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.capture.exec_record import CAUSES, NAMES, Files, pack_record, unpack_record

COUNTS = st.integers(0, 2**64 - 1)
FILES = st.fixed_dictionaries(
    {name: st.binary(max_size=300) | st.integers(1, 133) for name in NAMES}
)


@given(st.integers(0, 2**31 - 1), COUNTS, st.lists(COUNTS, min_size=len(CAUSES), max_size=3), FILES)
def test_what_was_packed_is_unpacked(
    pid: int, time_ns: int, losses: list[int], files: Files
) -> None:
    message = pack_record(pid, time_ns, losses, files)
    assert unpack_record(message) == (pid, time_ns, losses, files)


def test_a_file_that_was_not_asked_is_empty() -> None:
    *_, files = unpack_record(pack_record(7, 8, [0, 0, 0], {"cmdline": b"x"}))
    assert files == dict.fromkeys(NAMES, b"") | {"cmdline": b"x"}


def test_a_message_that_is_cut_or_goes_on_is_none() -> None:
    message = pack_record(7, 8, [0, 0, 0], {"cmdline": b"wget\0", "exe": 13})
    for size in range(len(message)):
        with pytest.raises(ValueError, match="a message of"):
            unpack_record(message[:size])
    with pytest.raises(ValueError, match="a message of"):
        unpack_record(message + b"x")
