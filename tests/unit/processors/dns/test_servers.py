import pytest

from connbeat.processors.dns.servers import parse_server


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("192.0.2.53:5353", ("192.0.2.53", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
    ],
)
def test_a_server_is_an_address_with_a_port_or_without(text: str, server: tuple[str, int]) -> None:
    assert parse_server(text, 53) == server


@pytest.mark.parametrize("text", ["", "dns.example", "192.0.2.53:0", "192.0.2.53:99999", "1.2.3:4"])
def test_everything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        parse_server(text, 53)
