"""The HTTP output against a real server."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connbeat.errors import Transient
from connbeat.outputs.http.client import HttpOutput
from connbeat.outputs.http.config import HttpConfig
from connbeat.outputs.protocol import Check, Step
from connbeat.outputs.tls_policy import TlsPolicy
from tests.deliveries import batch, context, event, events, ids
from tests.servers.certificates import Authority
from tests.servers.fault_proxy import FaultProxy, Stall
from tests.servers.http_server import Answer, HttpServer, Request

Maker = Callable[..., HttpOutput]


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as server:
        yield server


@pytest.fixture
def output() -> Iterator[Maker]:
    made: list[HttpOutput] = []

    def make(*hosts: str, **options: Any) -> HttpOutput:
        options = {"timeout_seconds": 5, **options}
        made.append(HttpOutput(HttpConfig(hosts=hosts, **options), context()))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_every_event_is_a_post_of_its_own_as_the_original_s_were(
    server: HttpServer, output: Maker
) -> None:
    sender = output(f"{server.url}/in?api_key=X", parameters={"a": "b"}, username="u", password="p")
    sender.send(batch(*events(2)))
    assert [(r.method, r.target, r.body) for r in server.requests] == [
        ("POST", "/in?api_key=X&a=b", b'{"n":0}\n'),
        ("POST", "/in?api_key=X&a=b", b'{"n":1}\n'),
    ]
    headers = server.requests[0].headers
    assert headers["Accept"] == "application/json"
    assert headers["Content-Type"] == "application/json; charset=UTF-8"
    assert headers["Authorization"] == "Basic dTpw"


def test_a_connection_is_used_again_unless_it_must_not_be(
    server: HttpServer, output: Maker
) -> None:
    output(server.url).send(batch(*events(5)))
    assert len({request.client for request in server.requests}) == 1
    outcome = output(server.url, keep_alive=False).send(batch(*events(5)))
    assert len(outcome.delivered) == 5
    assert len({request.client for request in server.requests}) == 6


@pytest.mark.parametrize("answer", [Answer(), Answer(201, b"<html>"), Answer(204)])
def test_what_the_server_says_beside_yes_does_not_matter(
    server: HttpServer, output: Maker, answer: Answer
) -> None:
    server.answers += [answer] * 3
    assert len(output(server.url).send(batch(*events(3))).delivered) == 3
    assert len({request.client for request in server.requests}) == 1


def test_a_long_answer_is_not_read_to_its_end(server: HttpServer, output: Maker) -> None:
    server.answers += [Answer(200, b"x" * 5_000_000), Answer(400, b"y" * 5_000_000)]
    outcome = output(server.url).send(batch(*events(3)))
    assert ids(outcome.delivered) == ["e0", "e2"]
    assert outcome.dropped[0].detail == "400 " + "y" * 200


@pytest.mark.parametrize("mode", ["ndjson", "array"])
def test_a_batch_is_one_request(server: HttpServer, output: Maker, mode: str) -> None:
    sender = output(server.url, batch=mode, compression_level=6)
    assert len(sender.send(batch(*events(100))).delivered) == 100
    (request,) = server.requests
    body = request.body
    documents = json.loads(body) if mode == "array" else list(map(json.loads, body.splitlines()))
    assert documents == [{"n": number} for number in range(100)]
    assert request.headers["Content-Encoding"] == "gzip"


def test_a_batch_that_is_too_large_is_halved(output: Maker) -> None:
    def judge(request: Request) -> Answer | None:
        return Answer(413) if len(request.body) > 60 else None

    with HttpServer(judge=judge) as server:
        outcome = output(server.url, batch="ndjson").send(
            batch(*events(50), event(50, b'"%s"' % (b"x" * 100)))
        )
        assert ids(outcome.delivered) == ids(events(50))
        assert [(drop.event.id, drop.reason) for drop in outcome.dropped] == [("e50", "too_large")]
        lines = [line for body in server.bodies() for line in body.splitlines()]
        assert lines == [one.body for one in events(50)]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_trouble_of_the_server_s_makes_everything_wait_as_long_as_it_says(
    server: HttpServer, output: Maker, status: int
) -> None:
    server.answers += [Answer(status, b"later", {"Retry-After": "7"})]
    with pytest.raises(Transient, match=f"answers {status} later") as caught:
        output(server.url).send(batch(*events(3)))
    assert caught.value.after_seconds == 7
    assert server.requests == []


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_credentials_lose_nothing_and_are_logged(
    server: HttpServer, output: Maker, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    server.answers += [Answer(status)]
    sender = output(server.url, bearer_token="wrong")
    with pytest.raises(Transient, match="credentials"):
        sender.send(batch(*events(2)))
    assert f"answer={status}" in caplog.text
    assert "wrong" not in caplog.text
    assert len(sender.send(batch(*events(2))).delivered) == 2


def test_a_redirect_is_not_followed(server: HttpServer, output: Maker) -> None:
    with HttpServer() as elsewhere:
        server.answers += [Answer(307, headers={"Location": elsewhere.url})]
        with pytest.raises(Transient, match=f"a redirect to {elsewhere.url}"):
            output(server.url).send(batch(*events(1)))
        assert elsewhere.requests == []


def test_hosts_share_the_load(server: HttpServer, output: Maker) -> None:
    server.answers += [Answer(delay=0.02)] * 10
    with HttpServer() as second:
        second.answers += [Answer(delay=0.02)] * 10
        outcome = output(server.url, second.url, worker=2).send(batch(*events(40)))
        assert ids(outcome.delivered) == ids(events(40))
        assert len(server.requests) + len(second.requests) == 40
        assert min(len(server.requests), len(second.requests)) >= 5


def test_a_dead_host_costs_nothing_where_another_lives(server: HttpServer, output: Maker) -> None:
    for loadbalance in (True, False):
        sender = output("127.0.0.1:1", server.url, loadbalance=loadbalance)
        for _ in range(3):
            assert len(sender.send(batch(*events(4))).delivered) == 4
    assert len(server.requests) == 24


def test_a_host_that_accepts_and_never_answers_holds_up_one_timeout(
    server: HttpServer, output: Maker
) -> None:
    with FaultProxy(server.address) as proxy:
        proxy.fault = Stall()
        sender = output(f"127.0.0.1:{proxy.port}", timeout_seconds=0.3)
        began = time.monotonic()
        with pytest.raises(Transient, match=r"no answer within 0\.3 s"):
            sender.send(batch(*events(50)))
        assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("host", "error"),
    [("127.0.0.1:1", "Connection refused"), ("no-such-host.invalid", "cannot be resolved")],
)
def test_who_cannot_be_reached_is_named(output: Maker, host: str, error: str) -> None:
    with pytest.raises(Transient, match=rf"{host}.*{error}"):
        output(host).send(batch(*events(1)))


def test_what_is_no_http_is_said_to_be_none(output: Maker) -> None:
    with HttpServer(Authority().server_context()) as tls, pytest.raises(Transient):
        output(f"127.0.0.1:{tls.port}").send(batch(*events(1)))


def test_certificates_are_checked_and_may_be_renewed(output: Maker, tmp_path: Path) -> None:
    old, new = Authority(), Authority()
    file = old.authority_file(tmp_path)
    policy = TlsPolicy(certificate_authorities=(str(file),))
    with HttpServer(new.server_context()) as server:
        sender = output(server.url, ssl=policy)
        sender.open()
        with pytest.raises(Transient, match="not accepted"):
            sender.send(batch(*events(1)))
        file.write_text("broken")
        with pytest.raises(Transient, match="certificate_authorities"):
            sender.send(batch(*events(1)))
        new.authority_file(tmp_path)
        sender.reopen()
        assert len(sender.send(batch(*events(1))).delivered) == 1


@pytest.mark.parametrize("mode", ["certificate", "none"])
def test_another_name_is_taken_where_the_mode_says_so(output: Maker, mode: str) -> None:
    authority = Authority()
    policy = TlsPolicy(verification_mode=mode, certificate_authorities=(authority.pem,))  # type: ignore[arg-type]  # a literal
    with HttpServer(authority.server_context("other.example")) as server:
        assert len(output(server.url, ssl=policy).send(batch(*events(2))).delivered) == 2


def test_a_proxy_is_asked_for_the_whole_url(server: HttpServer, output: Maker) -> None:
    sender = output("http://far.example:8080/in", proxy_url=f"http://u:p@127.0.0.1:{server.port}")
    assert len(sender.send(batch(*events(1))).delivered) == 1
    (request,) = server.requests
    assert request.target == "http://far.example:8080/in"
    assert request.headers["Proxy-Authorization"] == "Basic dTpw"
    (check,) = sender.checks()
    assert (check.step, check.error) == (Step.TALK, "")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, {"detail": "answers HEAD with 200"}),
        (405, {"detail": "answers HEAD with 405, which says nothing about POST"}),
        (401, {"error": "401 the server wants other credentials"}),
        (503, {"error": "503"}),
    ],
)
def test_checks_talk_and_send_nothing(
    server: HttpServer, output: Maker, status: int, said: dict[str, str]
) -> None:
    server.answers.append(Answer(status))
    *_, last = output(f"{server.url}/in").checks()
    assert last == Check(step=Step.TALK, target=f"{server.url}/in", **said)
    assert [request for request in server.requests if request.method == "POST"] == []


def test_checks_go_to_every_host(server: HttpServer, output: Maker) -> None:
    checks = list(output("127.0.0.1:1", server.url).checks())
    assert [(check.step, bool(check.error)) for check in checks] == [
        (Step.RESOLVE, False),
        (Step.CONNECT, True),
        (Step.RESOLVE, False),
        (Step.CONNECT, False),
        (Step.TALK, False),
    ]
