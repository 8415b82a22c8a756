import pytest

from connbeat.config.http_kinds import ListenHost
from connbeat.config.kinds import Mismatch
from connbeat.config.tree import Place, plain_node


@pytest.mark.parametrize("host", ["localhost", "0.0.0.0", "::1", "unix:///run/connbeat.sock"])
def test_a_name_an_address_or_a_socket_is_a_place_to_listen(host: str) -> None:
    assert ListenHost().parse(plain_node(host, Place("f"))) == host


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("unix://relative", "an absolute path"),
        ("http://localhost", "a host name"),
        ("npipe:///connbeat", "a host name"),
        ("", "a host name"),
    ],
)
def test_what_nobody_can_listen_at_is_refused_with_what_would_be_right(
    host: str, expected: str
) -> None:
    with pytest.raises(Mismatch, match=expected):
        ListenHost().parse(plain_node(host, Place("f")))
