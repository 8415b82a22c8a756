import pytest

from connbeat.outputs.http.config import HttpConfig


def problems(config: HttpConfig) -> list[str]:
    return [key for key, _ in config.problems()]


def test_two_ways_to_say_who_we_are_are_a_problem() -> None:
    assert problems(HttpConfig(bearer_token="t")) == []
    assert problems(HttpConfig(username="u", password="p")) == []
    assert problems(HttpConfig(bearer_token="t", username="u")) == ["bearer_token"]


@pytest.mark.parametrize(
    "header", [("X y", "v"), ("", "v"), ("X", "a\r\nHost: b"), ("Ü", "v"), ("X", "€")]
)
def test_what_would_break_a_request_is_no_header(header: tuple[str, str]) -> None:
    name, value = header
    assert problems(HttpConfig(headers={"X-Site": "a b", name: value})) == [f"headers.{name}"]


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (HttpConfig(bearer_token="a\nb"), "bearer_token"),
        (HttpConfig(bearer_token="€"), "bearer_token"),
        (HttpConfig(proxy_url="socks5://p:1"), "proxy_url"),
    ],
)
def test_what_cannot_be_used_is_told_at_the_start(config: HttpConfig, key: str) -> None:
    assert problems(config) == [key]


def test_what_can_be_used_is_no_problem() -> None:
    config = HttpConfig(proxy_url="p:3128", bearer_token="a.b-c_d", headers={"X": "ü"})
    assert problems(config) == []
