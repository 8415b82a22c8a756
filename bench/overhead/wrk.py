"""wrk: what the load generator of HTTP prints, as values. Pure."""

import re

import msgspec

_RATE = re.compile(r"^Requests/sec: +([\d.]+)$", re.MULTILINE)
_REQUESTS = re.compile(r"^ *(\d+) requests in ", re.MULTILINE)
_ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
_REFUSED = re.compile(r"Non-2xx or 3xx responses: (\d+)")


class WrkResult(msgspec.Struct, frozen=True):
    """`errors`: connections that failed, and answers that were no success."""

    requests: int
    requests_per_second: float
    errors: int


def parse_wrk(text: str) -> WrkResult:
    """Raises ValueError, with the text, if this is not what wrk prints at its end."""
    rate, requests = _RATE.search(text), _REQUESTS.search(text)
    if rate is None or requests is None:
        raise ValueError(f"no result of wrk: {text.strip()[-200:]!r}")
    errors = [int(count) for found in _ERRORS.findall(text) for count in found]
    refused = [int(count) for count in _REFUSED.findall(text)]
    return WrkResult(int(requests[1]), float(rate[1]), sum(errors) + sum(refused))
