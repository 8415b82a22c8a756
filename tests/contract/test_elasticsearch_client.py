"""The official client as we use it, over HTTP: versions, logins, TLS, proxies, strange answers."""

import contextlib
import gzip
import logging
import zlib
from base64 import b64encode
from typing import Any

import pytest

from connbeat.errors import Transient
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.elasticsearch.output import ElasticsearchOutput, build
from connbeat.outputs.protocol import Step
from connbeat.outputs.tls_policy import TlsPolicy
from tests.deliveries import batch, context, event, events, ids
from tests.servers.certificates import Authority
from tests.servers.elasticsearch_server import ElasticsearchServer
from tests.servers.fault_proxy import FaultProxy, Stall
from tests.servers.http_server import Answer, HttpServer, Request

OURS, OTHER = Authority(), Authority()


def output(*hosts: str, **options: Any) -> ElasticsearchOutput:
    options.setdefault("timeout_seconds", 2.0)
    return build(ElasticsearchConfig(hosts=hosts, proxy_disable=True, **options), context())


@pytest.mark.parametrize("version", ["7.17.28", "8.0.0", "8.19.0", "9.0.0", "9.3.1"])
def test_every_version_takes_our_media_types(version: str) -> None:
    with ElasticsearchServer(version) as server:
        made = output(server.url)
        made.open()
        assert made.send(batch(*events(3))).delivered == events(3)
        assert server.bodies() == [one.body for one in events(3)]
        assert "connbeat" in server.templates
        made.close()


def test_a_client_of_another_version_would_be_refused() -> None:
    """The fake is no pushover."""
    with ElasticsearchServer("8.19.0") as server:
        assert not server._understands("application/vnd.elasticsearch+json; compatible-with=9")
        assert not server._understands("text/plain")


def test_deprecations_are_no_warnings_of_python(caplog: pytest.LogCaptureFixture) -> None:
    """Every answer of the server has a warning header; a warning would fail this test."""
    caplog.set_level(logging.DEBUG)
    with ElasticsearchServer() as server:
        output(server.url).send(batch(event(1)))
    assert "built-in security features" in caplog.text
    assert '"n":1' not in caplog.text, "documents are no matter for the log"


@pytest.mark.parametrize("level", [0, 1, 9])
def test_requests_are_compressed_as_wanted(level: int) -> None:
    with ElasticsearchServer() as server:
        output(server.url, compression_level=level).send(batch(*events(50)))
        (bulk,) = [one for one in server.seen if one.target.startswith("/_bulk")]
        headers = {name.lower(): value for name, value in bulk.headers.items()}
        assert headers.get("content-encoding", "") == ("gzip" if level else "")
        assert (int(headers["content-length"]) < len(bulk.body)) is bool(level)


def test_what_we_compress_is_gzip() -> None:
    assert gzip.decompress(zlib.compress(b"x", 1, 16 + zlib.MAX_WBITS)) == b"x"


def test_all_that_is_configured_for_requests_is_in_them() -> None:
    with ElasticsearchServer() as server:
        made = output(
            f"{server.url}?refresh=true", headers={"X-A": "b"}, parameters={"timeout": "9s"}
        )
        made.send(batch(event(1)))
        bulk = server.seen[-1]
        assert "refresh=true" in bulk.target
        assert "timeout=9s" in bulk.target
        assert "filter_path=" in bulk.target
        headers = {name.lower(): value for name, value in bulk.headers.items()}
        assert headers["x-a"] == "b"
        assert headers["user-agent"] == "connbeat/1.0.0"


def test_a_path_stands_before_everything() -> None:
    def below_es(request: Request) -> Answer:
        paths.append(request.target.partition("?")[0])
        return Answer(503)

    paths: list[str] = []
    with HttpServer(judge=below_es) as server, pytest.raises(Transient, match="503"):
        output(f"127.0.0.1:{server.port}", path="/es/").send(batch(event(1)))
    assert paths == ["/es/"]


@pytest.mark.parametrize(
    ("options", "user"),
    [
        ({"username": "u", "password": "p:w"}, ""),
        ({}, "u:p%3Aw@"),
    ],
)
def test_who_has_the_password_gets_in(options: dict[str, str], user: str) -> None:
    login = f"Basic {b64encode(b'u:p:w').decode()}"
    with ElasticsearchServer(authorization=login) as server:
        made = output(f"http://{user}127.0.0.1:{server.port}", **options)
        assert made.send(batch(event(1))).delivered == (event(1),)


def test_who_has_the_key_gets_in() -> None:
    key = f"ApiKey {b64encode(b'id:key').decode()}"
    with ElasticsearchServer(authorization=key) as server:
        assert output(server.url, api_key="id:key").send(batch(event(1))).delivered
        encoded = key.removeprefix("ApiKey ")
        assert output(server.url, api_key=encoded).send(batch(event(2))).delivered


def test_wrong_credentials_are_told_and_cost_no_event() -> None:
    with ElasticsearchServer(authorization="Basic other") as server:
        made = output(server.url, username="u", password="wrong")
        for call in (made.open, lambda: made.send(batch(event(1)))):
            with pytest.raises(Transient, match="401 security_exception") as caught:
                call()
            assert "wrong" not in str(caught.value)
        checks = list(output(server.url, username="u", password="wrong").checks())
        assert checks[-1].step is Step.TALK
        assert "401" in checks[-1].error
        server._authorization = ""
        assert made.send(batch(event(1))).delivered == (event(1),)


@pytest.mark.parametrize(
    "policy",
    [
        TlsPolicy(certificate_authorities=(OURS.pem,)),
        TlsPolicy(ca_trusted_fingerprint=OURS.fingerprint),
        TlsPolicy(verification_mode="none"),
    ],
)
def test_a_server_that_is_trusted_gets_events(policy: TlsPolicy) -> None:
    with ElasticsearchServer(tls=OURS.server_context(shows_authority=True)) as server:
        made = output(server.url, ssl=policy)
        made.open()
        assert made.send(batch(*events(2))).delivered == events(2)
        assert [check.error for check in made.checks()] == [""] * 5


@pytest.mark.parametrize(
    ("policy", "error"),
    [
        (TlsPolicy(), "certificate"),
        (TlsPolicy(certificate_authorities=(OTHER.pem,)), "certificate"),
        (TlsPolicy(ca_trusted_fingerprint=OTHER.fingerprint), "ca_trusted_fingerprint"),
    ],
)
def test_a_server_that_is_not_trusted_gets_nothing(policy: TlsPolicy, error: str) -> None:
    with ElasticsearchServer(tls=OURS.server_context(shows_authority=True)) as server:
        with pytest.raises(Transient, match=error):
            output(server.url, ssl=policy).send(batch(event(1)))
        assert not server.seen


def test_an_expired_certificate_and_another_name_are_not_trusted() -> None:
    policy = TlsPolicy(certificate_authorities=(OURS.pem,))
    with (
        ElasticsearchServer(tls=OURS.server_context(is_expired=True)) as server,
        pytest.raises(Transient, match="expired"),
    ):
        output(server.url, ssl=policy).send(batch(event(1)))
    with ElasticsearchServer(tls=OURS.server_context("other.example")) as server:
        with pytest.raises(Transient, match=r"127\.0\.0\.1"):
            output(server.url, ssl=policy).send(batch(event(1)))
        lenient = TlsPolicy(certificate_authorities=(OURS.pem,), verification_mode="certificate")
        assert output(server.url, ssl=lenient).send(batch(event(1))).delivered


def test_through_a_proxy_the_whole_url_is_asked_for() -> None:
    with ElasticsearchServer() as server, HttpServer(judge=server._judge) as proxy:
        config = ElasticsearchConfig(
            hosts=("http://es.invalid:9200",), proxy_url=proxy.url, timeout_seconds=2.0
        )
        made = build(config, context())
        with pytest.raises(Transient):  # the fake knows no such path
            made.send(batch(event(1)))
        assert server.seen[0].target == "http://es.invalid:9200/"


def test_what_is_not_elasticsearch_is_told() -> None:
    with (
        ElasticsearchServer(product="") as server,
        pytest.raises(Transient, match="what answers is not Elasticsearch"),
    ):
        output(server.url).open()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>log in</html>", {"content-type": "text/html"}),
        Answer(200, b"\x89PNG", {"content-type": "image/png"}),
        Answer(200, b"not json", {"X-elastic-product": "Elasticsearch"}),
        Answer(204, b""),
        Answer(302, b"", {"location": "http://127.0.0.1:1/"}),
        Answer(407, b""),
        Answer(503, b"<html>busy</html>", {"content-type": "text/html", "Retry-After": "7"}),
    ],
)
def test_strange_answers_cost_no_event(answer: Answer) -> None:
    with ElasticsearchServer() as server:
        made = output(server.url)
        made.open()
        server.refuses = answer
        for _ in range(2):
            with pytest.raises(Transient) as caught:
                made.send(batch(event(1)))
            assert caught.value.after_seconds in (0.0, 7.0)
        server.refuses = None
        assert made.send(batch(event(1))).delivered == (event(1),)


def test_a_pause_that_is_asked_for_is_passed_on() -> None:
    with ElasticsearchServer() as server:
        made = output(server.url)
        made.open()
        server.refuses = Answer(429, b"", {"Retry-After": "7"})
        with pytest.raises(Transient, match="429") as caught:
            made.send(batch(event(1)))
        assert caught.value.after_seconds == 7.0


def test_a_host_that_does_not_answer_is_told() -> None:
    with ElasticsearchServer() as server, FaultProxy(server.address) as proxy:
        proxy.fault = Stall()
        with pytest.raises(Transient, match=r"no answer within 0\.3 s"):
            output(f"127.0.0.1:{proxy.port}", timeout_seconds=0.3).send(batch(event(1)))


def test_a_host_that_does_not_answer_gives_way_to_the_next() -> None:
    with ElasticsearchServer() as server, FaultProxy(server.address) as proxy:
        proxy.fault = Stall()
        for loadbalance in (True, False):
            made = output(
                f"127.0.0.1:{proxy.port}",
                server.url,
                loadbalance=loadbalance,
                timeout_seconds=0.3,
            )
            waiting = events(6)
            for _ in range(3):
                with contextlib.suppress(Transient):
                    waiting = made.send(batch(*waiting)).retry if waiting else waiting
            assert waiting == ()
            made.close()
        assert sorted(id_ for _, id_ in server.documents) == ids(events(6))


def test_a_cluster_that_was_made_anew_gets_its_template_again() -> None:
    with ElasticsearchServer() as server:
        made = output(server.url)
        made.send(batch(event(1)))
        server.templates.clear()
        server.refuses = Answer(503, b"")
        with pytest.raises(Transient):
            made.send(batch(event(2)))
        server.refuses = None
        made.send(batch(event(2)))
        assert "connbeat" in server.templates


def test_with_several_connections_each_event_arrives_once() -> None:
    with ElasticsearchServer() as one, ElasticsearchServer() as other:
        made = output(one.url, other.url, worker=2)
        assert sorted(ids(made.send(batch(*events(40))).delivered)) == sorted(ids(events(40)))
        assert one.documents
        assert other.documents
        assert len(one.documents) + len(other.documents) == 40
        made.close()
