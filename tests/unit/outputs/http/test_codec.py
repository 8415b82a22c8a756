import gzip
import json

import pytest

from connbeat.outputs.hosts import HostUrl
from connbeat.outputs.http.codec import body_of, headers_of, target_of, urls_of
from connbeat.outputs.http.config import BatchMode, HttpConfig
from tests.deliveries import event, events


def url(**changes: str) -> HostUrl:
    return HostUrl(scheme="http", host="h", port=80, **changes)


def test_hosts_get_what_the_section_says_beside_them() -> None:
    config = HttpConfig(hosts=("a", "http://b/own", "c:1"), protocol="https", path="/in")
    assert [(one.scheme, one.port, one.path) for one in urls_of(config)] == [
        ("https", 443, "/in"),
        ("http", 80, "/own"),
        ("https", 1, "/in"),
    ]


@pytest.mark.parametrize(
    ("path", "query", "parameters", "target"),
    [
        ("", "", {}, "/"),
        ("/in", "", {}, "/in"),
        ("/in", "a=b", {}, "/in?a=b"),
        ("/in", "", {"k": "v w", "l": "&"}, "/in?k=v+w&l=%26"),
        ("/in", "a=b", {"k": "v"}, "/in?a=b&k=v"),
    ],
)
def test_parameters_come_behind_the_host_s_own_query(
    path: str, query: str, parameters: dict[str, str], target: str
) -> None:
    assert target_of(url(path=path, query=query), HttpConfig(parameters=parameters)) == target


def test_the_headers_are_those_of_the_original() -> None:
    assert headers_of(url(), HttpConfig(), "1.0") == {
        "Accept": "application/json",
        "Content-Type": "application/json; charset=UTF-8",
        "User-Agent": "connbeat/1.0",
    }


def test_headers_say_what_the_body_is() -> None:
    config = HttpConfig(batch="ndjson", compression_level=5, keep_alive=False)
    headers = headers_of(url(), config, "1.0")
    assert headers["Content-Type"] == "application/x-ndjson"
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Connection"] == "close"


@pytest.mark.parametrize(
    ("config", "host", "authorization"),
    [
        (HttpConfig(username="u", password="p"), {}, "Basic dTpw"),
        (HttpConfig(username="u", password="p"), {"username": "x", "password": "y"}, "Basic eDp5"),
        (HttpConfig(password="p"), {"username": "x"}, "Basic eDo="),
        (HttpConfig(bearer_token="t"), {"username": "x"}, "Bearer t"),
        (HttpConfig(), {}, None),
        (HttpConfig(headers={"authorization": "Own"}, bearer_token="t"), {}, "Own"),
    ],
)
def test_credentials_are_the_host_s_or_the_section_s(
    config: HttpConfig, host: dict[str, str], authorization: str | None
) -> None:
    headers = {name.lower(): value for name, value in headers_of(url(**host), config, "1").items()}
    assert headers.get("authorization") == authorization


@pytest.mark.parametrize(
    ("batch", "count", "body"),
    [
        ("off", 1, b'{"n":0}\n'),
        ("ndjson", 2, b'{"n":0}\n{"n":1}\n'),
        ("array", 2, b'[{"n":0},{"n":1}]'),
        ("array", 1, b'[{"n":0}]'),
    ],
)
def test_events_are_lines_or_an_array(batch: BatchMode, count: int, body: bytes) -> None:
    assert body_of(events(count), HttpConfig(batch=batch)) == body
    packed = body_of(events(count), HttpConfig(batch=batch, compression_level=9))
    assert gzip.decompress(packed) == body


def test_a_large_event_is_sent_whole() -> None:
    large = event(1, b'{"cmdline":"%s"}' % (b"x" * 2_000_000))
    assert len(json.loads(body_of((large,), HttpConfig()))["cmdline"]) == 2_000_000
