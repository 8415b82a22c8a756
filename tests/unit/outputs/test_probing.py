"""Steps that need no network; those to a real server are in tests/contract/test_tls.py."""

import socket

import pytest

from connbeat.outputs.probing import Endpoint, probe
from connbeat.outputs.protocol import Check, Step


def test_a_name_that_does_not_resolve_is_the_first_step_and_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert list(probe(Endpoint(host="nowhere", port=1, seconds=1))) == [
        Check(step=Step.RESOLVE, target="nowhere:1", error="Name or service not known")
    ]


def test_a_port_nobody_listens_at_fails_to_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    checks = list(probe(Endpoint(host="127.0.0.1", port=port, seconds=5)))
    assert [(check.step, check.error) for check in checks] == [
        (Step.RESOLVE, ""),
        (Step.CONNECT, "Connection refused"),
    ]


def test_a_port_somebody_listens_at_connects() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        checks = list(probe(Endpoint(host="127.0.0.1", port=server.getsockname()[1], seconds=5)))
    assert [(check.step, check.error, check.detail) for check in checks] == [
        (Step.RESOLVE, "", "127.0.0.1"),
        (Step.CONNECT, "", "127.0.0.1"),
    ]


def test_an_ipv6_address_has_brackets() -> None:
    assert Endpoint(host="::1", port=9, seconds=1).target == "[::1]:9"
