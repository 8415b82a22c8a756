import pytest

from bench.overhead.wrk import WrkResult, parse_wrk

PLAIN = """\
Running 5s test @ http://127.0.0.1:18080/
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   474.41us  359.99us  11.06ms   93.24%
    Req/Sec    66.69k     3.43k   73.10k    72.00%
  663412 requests in 5.00s, 106.30MB read
Requests/sec: 132653.58
Transfer/sec:     21.25MB
"""
TROUBLED = PLAIN.replace(
    "Requests/sec",
    "  Socket errors: connect 1, read 20, write 300, timeout 4000\n"
    "  Non-2xx or 3xx responses: 50000\nRequests/sec",
)


def test_requests_and_their_rate_are_read() -> None:
    assert parse_wrk(PLAIN) == WrkResult(663412, 132653.58, 0)


def test_failed_connections_and_refused_requests_are_errors() -> None:
    assert parse_wrk(TROUBLED).errors == 54321


@pytest.mark.parametrize("text", ["", "unable to connect to 127.0.0.1:1 Connection refused"])
def test_what_is_no_result_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(ValueError, match="no result of wrk.*" + text[-10:]):
        parse_wrk(text)
