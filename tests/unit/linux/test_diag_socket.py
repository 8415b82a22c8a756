"""The conversation about one namespace, without a kernel (with one: test_dump_codec.py)."""

from collections.abc import Iterator

import msgspec
import pytest

from connbeat.errors import CaptureError
from connbeat.linux import netlink
from connbeat.linux.diag_socket import DiagSocket
from connbeat.linux.sock_diag import WITHOUT_TIME_WAIT, pack_dump_request
from connbeat.model.sockets import Socket, TcpState
from tests.strategies import (
    INET_DIAG_INFO,
    SOCK_DIAG_TYPE,
    make_socket,
    pack_attribute,
    pack_done,
    pack_message,
    pack_row,
    pack_tcp_info,
)

ROW = make_socket(cookie=7)
OTHER = make_socket(cookie=8, local_port=40001)


class Kernel:
    """A table; `hidden` are cookies that a dump passes by."""

    def __init__(self) -> None:
        self.table: list[Socket] = [ROW, OTHER]
        self.hidden: set[int] = set()
        self.requests: list[bytes] = []
        self.error: OSError | None = None
        self._answers: Iterator[bytes] = iter(())

    def send(self, request: bytes) -> int:
        self.requests.append(request)
        sequence = int.from_bytes(request[8:12], "little")
        if int.from_bytes(request[6:8], "little") & netlink.NLM_F_DUMP:
            rows = [row for row in self.table if row.cookie not in self.hidden]
            self._answers = iter([*(answer(row, sequence) for row in rows), pack_done(sequence)])
        else:
            ends = request[24:64]
            found = [row for row in self.table if pack_row(row)[4:44] == ends]
            error = pack_message(netlink.NLMSG_ERROR, (-2).to_bytes(4, "little", signed=True),
                                 sequence)  # fmt: skip
            self._answers = iter([answer(found[0], sequence) if found else error])
        return len(request)

    def recvmsg(self, _size: int) -> tuple[bytes, list[object], int, tuple[int, int]]:
        if self.error is not None:
            raise self.error
        return next(self._answers), [], 0, (0, 0)

    def close(self) -> None:
        self.table = []


def answer(row: Socket, sequence: int) -> bytes:
    attributes = pack_row(row, pack_attribute(INET_DIAG_INFO, pack_tcp_info()))
    return pack_message(SOCK_DIAG_TYPE, attributes, sequence)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel()
    monkeypatch.setattr(netlink, "open_socket", lambda _family: made)
    return made


def cookies(rows: list[Socket]) -> list[int]:
    return [row.cookie for row in rows]


def test_each_dump_is_one_request_with_a_number_of_its_own(kernel: Kernel) -> None:
    diag = DiagSocket()
    for _ in range(2):
        rows, malformed, is_interrupted = diag.dump(WITHOUT_TIME_WAIT)
        assert (cookies(rows), malformed, is_interrupted) == ([7, 8], 0, False)
    assert kernel.requests == [pack_dump_request(number, WITHOUT_TIME_WAIT) for number in (1, 2)]


def test_one_socket_is_found_by_its_addresses(kernel: Kernel) -> None:
    diag = DiagSocket()
    found = diag.get(msgspec.structs.replace(OTHER, cookie=0))
    assert found is not None
    assert found.cookie == 8
    kernel.table.remove(OTHER)
    assert diag.get(OTHER) is None


def test_an_open_socket_that_a_dump_passed_by_is_found(kernel: Kernel) -> None:
    diag = DiagSocket()
    diag.dump()
    assert diag.overlooked(9) == []
    kernel.hidden = {7}
    for _ in range(2):
        assert cookies(diag.dump()[0]) == [8]
        assert cookies(diag.overlooked(9)) == [7]


def test_a_socket_that_closed_was_not_overlooked(kernel: Kernel) -> None:
    diag = DiagSocket()
    diag.dump()
    kernel.table.remove(ROW)
    diag.dump()
    assert diag.overlooked(9) == []


def test_another_socket_at_the_same_addresses_is_another(kernel: Kernel) -> None:
    diag = DiagSocket()
    diag.dump()
    kernel.table[0] = msgspec.structs.replace(ROW, cookie=9, state=TcpState.SYN_SENT)
    kernel.hidden = {9}
    diag.dump()
    assert diag.overlooked(9) == []


def test_no_more_are_looked_for_than_is_allowed(kernel: Kernel) -> None:
    diag = DiagSocket()
    diag.dump()
    kernel.hidden = {7, 8}
    diag.dump()
    asked = len(kernel.requests)
    assert cookies(diag.overlooked(1)) == [7]
    assert len(kernel.requests) == asked + 1


def test_a_socket_that_fails_is_our_error(kernel: Kernel) -> None:
    diag = DiagSocket()
    kernel.error = TimeoutError("timed out")
    with pytest.raises(CaptureError, match="timed out"):
        diag.dump()
