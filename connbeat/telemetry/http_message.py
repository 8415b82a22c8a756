"""The little of HTTP that the endpoint speaks: one GET or HEAD a connection. Pure."""

import http
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

#: What stands before the first empty line is not longer than that.
MAX_REQUEST_BYTES = 8192

_JSON = "application/json; charset=utf-8"


class Request(msgspec.Struct, frozen=True):
    """What somebody wants. `query` has the parameters, those without a value as ""."""

    path: str
    query: Mapping[str, str] = {}
    is_head: bool = False


class Response(msgspec.Struct, frozen=True):
    """What they get."""

    body: bytes
    status: int = 200
    content_type: str = _JSON


class Refused(Exception):  # noqa: N818  an answer, not an error of anybody's
    """The request cannot be served; `response` says why."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.response = failure(status)


def failure(status: int) -> Response:
    phrase = http.HTTPStatus(status).phrase
    return Response(json_body({"error": phrase, "status": status}), status)


def json_body(document: object, *, is_pretty: bool = False) -> bytes:
    encoded = msgspec.json.encode(document)
    return (msgspec.json.format(encoded, indent=2) if is_pretty else encoded) + b"\n"


def read_request(received: bytes) -> Request | None:
    """The request, None as long as there is more of it to come. Raises Refused."""
    line, feed, rest = received.partition(b"\n")
    is_whole = feed and (rest.startswith((b"\n", b"\r\n")) or b"\n\r\n" in rest or b"\n\n" in rest)
    if not is_whole:
        if len(received) > MAX_REQUEST_BYTES:
            raise Refused(431)
        return None
    return _parse(line)


def _parse(line: bytes) -> Request:
    try:
        method, target, version = line.decode("ascii").split()
        parts = urlsplit(target)
    except ValueError as error:  # UnicodeDecodeError is one
        raise Refused(400) from error
    if not version.startswith("HTTP/1.") or not target.startswith(("/", "http://")):
        raise Refused(400)
    if method not in ("GET", "HEAD"):
        raise Refused(405)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Request(unquote(parts.path) or "/", query, method == "HEAD")


def write_response(response: Response, *, is_head: bool = False) -> bytes:
    lines = [
        f"HTTP/1.1 {response.status} {http.HTTPStatus(response.status).phrase}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        "Cache-Control: no-store",
        "Connection: close",
    ]
    lines += ["Allow: GET, HEAD"] if response.status == 405 else []
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if is_head else response.body)
