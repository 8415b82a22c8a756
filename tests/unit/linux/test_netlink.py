"""Framing of netlink: golden answers, the kernel's refusals, and lengths that lie."""

import contextlib
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.errors import CaptureError, DumpInterrupted, Malformed, NotFound
from connbeat.linux.netlink import (
    RECEIVE_BYTES,
    Datagram,
    ask,
    dump,
    iter_attributes,
    pack_request,
    parse_datagram,
)
from tests.golden import TCP_RECORDINGS, read_datagrams, read_tcp_table
from tests.strategies import (
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    hostile,
    pack_attribute,
    pack_done,
    pack_message,
)

GOLDEN = read_datagrams("linux-6.18-tcp")
ROW = pack_message(18, b"r" * 72)


def frame_of(data: bytes, sequence: int = 1) -> Datagram:
    return parse_datagram(data, sequence)


def pack_error(number: int, kind: int = NLMSG_ERROR) -> bytes:
    return pack_message(kind, struct.pack("=i", number) + bytes(16))


# A dump of a kernel


@pytest.mark.parametrize("name", TCP_RECORDINGS)
def test_a_recorded_dump_has_a_message_for_each_row_and_ends_with_done(name: str) -> None:
    table = read_tcp_table(name)
    frames = [parse_datagram(data, table.sequence) for data in read_datagrams(name)]
    assert sum(len(frame.messages) for frame in frames) == len(table.rows)
    assert [frame.is_done for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert not any(frame.is_malformed or frame.is_interrupted for frame in frames)


def test_a_message_is_found_where_it_stands() -> None:
    data = pack_message(18, b"one") + pack_message(20, b"twotwo") + pack_done()
    first, second = frame_of(data).messages
    assert (first.kind, data[first.start : first.end]) == (18, b"one")
    assert (second.kind, data[second.start : second.end]) == (20, b"twotwo")


def test_an_empty_namespace_answers_with_done_alone() -> None:
    (data,) = read_datagrams("linux-6.18-tcp-empty")
    assert parse_datagram(data, 7) == Datagram(
        (), is_done=True, is_interrupted=False, is_malformed=False
    )


def test_a_request_is_framed_as_the_kernel_wants_it() -> None:
    """nlmsghdr: length, type, NLM_F_REQUEST | NLM_F_DUMP, sequence, port 0."""
    assert pack_request(18, 5, b"payload!").hex() == (
        "18000000120001030500000000000000" + b"payload!".hex()
    )


# Sequence numbers and flags


def test_what_answers_another_request_is_left_over_and_ignored() -> None:
    data = (
        pack_message(18, b"old", sequence=1, flags=NLM_F_DUMP_INTR)
        + pack_message(NLMSG_ERROR, struct.pack("=i", -1), sequence=1)
        + pack_done(sequence=1)
        + pack_message(18, b"new", sequence=2)
    )
    frame = parse_datagram(data, 2)
    assert [data[m.start : m.end] for m in frame.messages] == [b"new"]
    assert not frame.is_done
    assert not frame.is_interrupted


@pytest.mark.parametrize(
    "data",
    [
        pack_message(18, b"row", flags=NLM_F_DUMP_INTR) + ROW,
        ROW + pack_message(NLMSG_DONE, bytes(4), flags=NLM_F_DUMP_INTR),
    ],
)
def test_an_interrupted_dump_is_told_wherever_the_flag_stands(data: bytes) -> None:
    assert frame_of(data).is_interrupted


def test_what_stands_behind_done_is_not_read() -> None:
    frame = frame_of(pack_done() + ROW)
    assert frame.is_done
    assert frame.messages == ()


# Refusals


def test_a_recorded_refusal_for_want_of_a_thing_says_so() -> None:
    (data,) = read_datagrams("linux-6.18-refused")
    with pytest.raises(NotFound):
        parse_datagram(data, 9)


@pytest.mark.parametrize("kind", [NLMSG_ERROR, NLMSG_DONE])
def test_a_negative_number_in_error_or_done_is_a_refusal(kind: int) -> None:
    with pytest.raises(CaptureError, match="Operation not permitted"):
        frame_of(ROW + pack_error(-1, kind))


@pytest.mark.parametrize("kind", [NLMSG_ERROR, NLMSG_DONE])
@pytest.mark.parametrize("number", [-(1 << 31), -0x7FFF_FFFF, -4095])
def test_a_number_that_no_error_has_is_still_our_error(kind: int, number: int) -> None:
    with pytest.raises(CaptureError):
        frame_of(pack_error(number, kind))


def test_error_zero_is_an_acknowledgement() -> None:
    assert frame_of(ROW + pack_error(0)).is_done


def test_done_may_come_without_a_number() -> None:
    assert frame_of(pack_message(NLMSG_DONE, b"")).is_done


def test_an_error_without_a_number_is_malformed() -> None:
    with pytest.raises(Malformed):
        frame_of(pack_message(NLMSG_ERROR, b"\xff\xff"))


# Lengths that lie


@pytest.mark.parametrize("length", [0, 1, 15, 89, 0xFFFF_FFFF])
def test_a_length_that_cannot_be_ends_its_datagram_and_the_rest_survives(length: int) -> None:
    liar = struct.pack("=I", length) + ROW[4:]
    frame = frame_of(ROW + liar)
    assert len(frame.messages) == 1
    assert frame.is_malformed


def test_a_dump_cut_at_any_byte_gives_a_prefix_of_its_messages_and_no_error() -> None:
    whole = frame_of(GOLDEN[-1])
    for size in range(len(GOLDEN[-1])):
        frame = frame_of(GOLDEN[-1][:size])
        assert frame.messages == whole.messages[: len(frame.messages)]
        assert not frame.is_done or size >= whole.messages[-1].end + 16


@given(hostile(GOLDEN[-1][:1200] + pack_done()))
def test_hostile_bytes_give_messages_within_the_datagram_or_our_error(data: bytes) -> None:
    try:
        frame = frame_of(data)
    except CaptureError:
        return
    assert all(16 <= m.start <= m.end <= len(data) for m in frame.messages)


# Attributes


def test_attributes_are_found_whatever_their_padding() -> None:
    data = b"...." + pack_attribute(7, b"") + pack_attribute(8, b"abcde") + pack_attribute(9, b"f")
    found = [(kind, data[a:b]) for kind, a, b in iter_attributes(data, 4, len(data))]
    assert found == [(7, b""), (8, b"abcde"), (9, b"f")]


def test_the_flags_of_an_attributes_type_are_taken_off() -> None:
    """NLA_F_NESTED and NLA_F_NET_BYTEORDER share the 16 bits with the type."""
    data = pack_attribute(0xC000 | 5, b"x")
    assert [kind for kind, _, _ in iter_attributes(data, 0, len(data))] == [5]


@pytest.mark.parametrize("length", [0, 3, 9, 0xFFFF])
def test_an_attribute_that_does_not_fit_ends_the_list(length: int) -> None:
    data = pack_attribute(1, b"good") + struct.pack("=HH", length, 2) + b"bad!"
    assert [kind for kind, _, _ in iter_attributes(data, 0, len(data))] == [1]


@given(hostile(GOLDEN[-1][88:500]))
def test_hostile_attributes_stay_within_their_bounds(data: bytes) -> None:
    for _, start, end in iter_attributes(data, 0, len(data)):
        assert 4 <= start <= end <= len(data)


# The conversation with the kernel


class FakeKernel:
    """The socket's side of a dump: datagrams from the kernel, or from somebody else."""

    def __init__(self, answers: Iterable[tuple[bytes, int, int] | OSError]) -> None:
        self._answers = iter(answers)
        self.requests: list[bytes] = []

    def send(self, request: bytes) -> int:
        self.requests.append(request)
        return len(request)

    def recvmsg(self, size: int) -> tuple[bytes, list[object], int, tuple[int, int]]:
        assert size == RECEIVE_BYTES
        answer = next(self._answers)
        if isinstance(answer, OSError):
            raise answer
        data, flags, sender = answer
        return data, [], flags, (sender, 0)


def kernel(*answers: tuple[bytes, int, int] | OSError) -> tuple[FakeKernel, Iterator[bytes]]:
    fake = FakeKernel(answers)
    dumped = dump(cast(socket.socket, fake), b"request", 1)
    return fake, (data for data, _ in dumped)


def test_a_dump_sends_its_request_once_and_ends_after_done() -> None:
    fake, dumped = kernel((ROW, 0, 0), (ROW + pack_done(), 0, 0), (ROW, 0, 0))
    assert list(dumped) == [ROW, ROW + pack_done()]
    assert fake.requests == [b"request"]


def test_a_datagram_that_another_process_sent_is_not_part_of_the_dump() -> None:
    _, dumped = kernel((ROW, 0, 4711), (pack_done(), 0, 0))
    assert list(dumped) == [pack_done()]


def test_a_cut_datagram_is_an_error_because_rows_are_lost() -> None:
    _, dumped = kernel((ROW, socket.MSG_TRUNC, 0))
    with pytest.raises(CaptureError, match="cut"):
        list(dumped)


def test_a_datagram_that_cannot_be_framed_ends_the_dump() -> None:
    _, dumped = kernel((ROW[:-1], 0, 0))
    with pytest.raises(Malformed):
        list(dumped)


def test_an_interrupted_dump_is_read_to_its_end_before_it_is_told() -> None:
    first = pack_message(18, b"row", flags=NLM_F_DUMP_INTR)
    _, dumped = kernel((first, 0, 0), (ROW + pack_done(), 0, 0))
    assert next(dumped) == first
    assert next(dumped) == ROW + pack_done()
    with pytest.raises(DumpInterrupted):
        next(dumped)


@pytest.mark.parametrize("error", [TimeoutError("timed out"), OSError(105, "No buffer space")])
def test_a_silent_or_failing_socket_is_our_error(error: OSError) -> None:
    _, dumped = kernel(error)
    with pytest.raises(CaptureError, match=r"timed out|No buffer space"):
        list(dumped)


@given(st.lists(hostile(GOLDEN[-1][:400] + pack_done()), min_size=1, max_size=4))
def test_no_answer_makes_a_dump_raise_anything_but_our_error(datagrams: list[bytes]) -> None:
    _, dumped = kernel(*((data, 0, 0) for data in datagrams), TimeoutError("no more"))
    with contextlib.suppress(CaptureError):
        list(dumped)


# A question about one thing


def asked(*answers: tuple[bytes, int, int] | OSError) -> bytes | None:
    answer = ask(cast(socket.socket, FakeKernel(answers)), b"request", 1)
    return answer[0] if answer is not None else None


def test_the_answer_is_the_first_datagram_of_the_kernel_that_answers() -> None:
    left_over = pack_message(18, b"old", sequence=7)
    assert asked((ROW, 0, 4711), (left_over, 0, 0), (ROW, 0, 0)) == ROW


def test_no_such_thing_is_an_answer() -> None:
    assert asked((pack_error(-2), 0, 0)) is None


def test_any_other_refusal_is_an_error() -> None:
    with pytest.raises(CaptureError, match="Operation not permitted"):
        asked((pack_error(-1), 0, 0))


def test_no_answer_in_time_is_an_error() -> None:
    with pytest.raises(CaptureError, match="timed out"):
        asked(TimeoutError("timed out"))


def test_an_answer_that_cannot_be_framed_is_an_error_and_not_waited_for_any_longer() -> None:
    with pytest.raises(Malformed):
        asked((ROW[:-1], 0, 0))


@given(st.lists(hostile(GOLDEN[-1][:400] + pack_done()), min_size=1, max_size=4))
def test_no_answer_makes_a_question_raise_anything_but_our_error(datagrams: list[bytes]) -> None:
    with contextlib.suppress(CaptureError):
        asked(*((data, 0, 0) for data in datagrams), TimeoutError("no more"))
