import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.telemetry.http_message import (
    MAX_REQUEST_BYTES,
    Refused,
    Request,
    Response,
    failure,
    json_body,
    read_request,
    write_response,
)

#: As Prometheus, Metricbeat and kubelet write it, and as somebody at a keyboard does.
REAL = [
    (b"GET / HTTP/1.1\r\nHost: localhost:5066\r\nAccept-Encoding: gzip\r\n\r\n", Request("/")),
    (b"GET /stats?pretty HTTP/1.0\r\n\r\n", Request("/stats", {"pretty": ""})),
    (b"HEAD /healthz?a=1&b= HTTP/1.1\n\n", Request("/healthz", {"a": "1", "b": ""}, True)),
    (b"GET http://localhost/stat%73 HTTP/1.1\r\nA: b\r\n\r\n", Request("/stats")),
]


@pytest.mark.parametrize(("received", "request_"), REAL)
def test_a_request_is_known_at_its_last_byte_and_not_before(
    received: bytes, request_: Request
) -> None:
    for end in range(len(received)):
        assert read_request(received[:end]) is None
    assert read_request(received) == request_
    assert read_request(received + b"body") == request_


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"POST / HTTP/1.1", 405),
        (b"get / HTTP/1.1", 405),
        (b"GET /", 400),
        (b"GET / HTTP/2", 400),
        (b"GET nowhere HTTP/1.1", 400),
        (b"GET http://[::1/ HTTP/1.1", 400),
        (b"GET /\xff HTTP/1.1", 400),
        (b"", 400),
    ],
)
def test_what_is_not_served_says_so(line: bytes, status: int) -> None:
    with pytest.raises(Refused) as refused:
        read_request(line + b"\r\n\r\n")
    assert refused.value.response.status == status


def test_a_request_without_an_end_is_too_long() -> None:
    assert read_request(b"x" * MAX_REQUEST_BYTES) is None
    with pytest.raises(Refused) as refused:
        read_request(b"x" * (MAX_REQUEST_BYTES + 1))
    assert refused.value.response.status == 431


@given(st.binary(max_size=200), st.sampled_from([b"", b"\r\n\r\n", b"\n\n"]))
def test_any_bytes_are_a_request_or_refused(noise: bytes, end: bytes) -> None:
    with contextlib.suppress(Refused):
        read_request(noise + end)


def test_a_response_says_how_long_it_is_and_that_it_is_the_last() -> None:
    assert write_response(Response(b"{}\n")) == (
        b"HTTP/1.1 200 OK\r\n"
        b"Content-Type: application/json; charset=utf-8\r\n"
        b"Content-Length: 3\r\n"
        b"Cache-Control: no-store\r\n"
        b"Connection: close\r\n"
        b"\r\n"
        b"{}\n"
    )


def test_head_has_everything_but_the_body() -> None:
    whole, head = write_response(Response(b"{}")), write_response(Response(b"{}"), is_head=True)
    assert head == whole[:-2]


def test_who_may_not_is_told_what_they_may() -> None:
    assert b"\r\nAllow: GET, HEAD\r\n" in write_response(failure(405))
    assert b"Allow" not in write_response(failure(404))


def test_pretty_is_the_same_with_lines() -> None:
    assert json_body({"a": [1]}) == b'{"a":[1]}\n'
    assert json_body({"a": 1}, is_pretty=True) == b'{\n  "a": 1\n}\n'
