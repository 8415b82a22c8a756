import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.outputs.hosts import HostDefaults, HostUrl, parse_host, parse_hosts

DEFAULTS = HostDefaults(ports={"http": 80, "https": 443})


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("web", HostUrl(scheme="http", host="web", port=80)),
        ("WEB:8080", HostUrl(scheme="http", host="web", port=8080)),
        ("https://web", HostUrl(scheme="https", host="web", port=443)),
        ("HTTPS://web:1/", HostUrl(scheme="https", host="web", port=1, path="/")),
        ("web/path", HostUrl(scheme="http", host="web", port=80, path="/path")),
        ("web?k=http://x", HostUrl(scheme="http", host="web", port=80, query="k=http://x")),
        (
            "https://web/connbeat?api_key=X&b=c",
            HostUrl(scheme="https", host="web", port=443, path="/connbeat", query="api_key=X&b=c"),
        ),
        ("::1", HostUrl(scheme="http", host="::1", port=80)),
        ("[::1]:9200/x", HostUrl(scheme="http", host="::1", port=9200, path="/x")),
        ("http://2001:db8::7/x", HostUrl(scheme="http", host="2001:db8::7", port=80, path="/x")),
        (
            "http://us%40er:p%2Fw@web",
            HostUrl(scheme="http", host="web", port=80, username="us@er", password="p/w"),
        ),
        (
            "web/a%20b/ü?k=ü%2F",
            HostUrl(scheme="http", host="web", port=80, path="/a%20b/%C3%BC", query="k=%C3%BC%2F"),
        ),
        (" web ", HostUrl(scheme="http", host="web", port=80)),
    ],
)
def test_hosts_are_written_in_many_ways(text: str, url: HostUrl) -> None:
    assert parse_host(text, DEFAULTS) == url


def test_what_a_host_does_not_say_comes_from_the_section() -> None:
    defaults = HostDefaults(ports={"http": 9200, "https": 9200}, scheme="https", path="es")
    assert parse_host("a", defaults) == HostUrl(scheme="https", host="a", port=9200, path="/es")
    assert parse_host("http://a/", defaults).path == "/es"
    assert parse_host("a/own", defaults).path == "/own"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a b",
        "ftp://a",
        "http://",
        "http:///x",
        "a:x",
        "a:0",
        "a:70000",
        ":80",
        "?x",
        "a\n",
    ],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    if text == "a\n":  # as YAML's block texts end
        assert parse_host(text, DEFAULTS).host == "a"
        return
    with pytest.raises(ValueError, match="found"):
        parse_host(text, DEFAULTS)


def test_a_password_is_in_no_message_and_no_url() -> None:
    with pytest.raises(ValueError, match="port") as caught:
        parse_host("http://u:secret@web:x", DEFAULTS)
    assert "secret" not in str(caught.value)
    url = parse_host("http://u:secret@web:1/p?key=secret", DEFAULTS)
    assert url.url == "http://web:1/p"
    assert url.netloc == "web:1"
    assert url.target == "/p?key=secret"


def test_an_ipv6_address_has_brackets_where_a_port_follows() -> None:
    url = parse_host("::1", DEFAULTS)
    assert (url.netloc, url.url, url.target) == ("[::1]:80", "http://[::1]:80", "/")


def test_a_list_is_parsed_in_its_order() -> None:
    assert [url.host for url in parse_hosts(("b", "a"), DEFAULTS)] == ["b", "a"]


@given(st.text(st.sampled_from("ab:/?@[].%#1 ")))
def test_any_text_is_a_host_or_refused(text: str) -> None:
    try:
        url = parse_host(text, DEFAULTS)
    except ValueError:
        return
    assert url.host
    assert 0 < url.port < 65536
