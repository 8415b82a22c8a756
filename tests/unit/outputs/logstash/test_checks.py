import pytest

from connbeat.outputs.logstash import checks
from connbeat.outputs.protocol import Step
from connbeat.outputs.tls_policy import TlsPolicy
from tests.servers.certificates import Authority
from tests.unit.outputs.logstash.fakes import FakeLogstash
from tests.unit.outputs.logstash.test_client import output


@pytest.fixture
def waits_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    """For servers that say nothing: there is nothing to wait for."""
    monkeypatch.setattr(checks, "_LISTENING_SECONDS", 0.01)


@pytest.fixture
def waits_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """For servers that will say something, however busy the machine is."""
    monkeypatch.setattr(checks, "_LISTENING_SECONDS", 30.0)


@pytest.mark.usefixtures("waits_in_vain")
def test_every_step_is_told_and_nothing_is_sent() -> None:
    with FakeLogstash() as server:
        found = list(output(server).checks())
    assert [check.step for check in found] == [Step.RESOLVE, Step.CONNECT, Step.TALK]
    assert {check.error for check in found} == {""}
    assert found[-1].detail == "no objection to the beginning of a window"
    assert server.documents == []


@pytest.mark.usefixtures("waits_in_vain")
def test_tls_is_a_step() -> None:
    authority = Authority()
    policy = TlsPolicy(certificate_authorities=(authority.pem,))
    with FakeLogstash(authority.server_context()) as server:
        found = list(output(server, ssl=policy).checks())
        assert [check.step for check in found] == [
            Step.RESOLVE,
            Step.CONNECT,
            Step.TLS,
            Step.TALK,
        ]
        assert {check.error for check in found} == {""}
        found = list(output(server, ssl=TlsPolicy()).checks())
        assert (found[-1].step, "not accepted" in found[-1].error) == (Step.TLS, True)


@pytest.mark.usefixtures("waits_for_an_answer")
@pytest.mark.parametrize(
    ("greeting", "error"),
    [
        (b"220 mail ESMTP\r\n", "not a lumberjack server, it says b'220 mail ESMTP"),
        (None, "does it want TLS?"),
    ],
)
def test_a_server_of_another_kind_is_told(greeting: bytes | None, error: str) -> None:
    with FakeLogstash(greeting=greeting) as server:
        *_, talk = output(server).checks()
    assert talk.step is Step.TALK
    assert error in talk.error


@pytest.mark.usefixtures("waits_for_an_answer")
def test_a_server_that_wants_tls_is_told() -> None:
    with FakeLogstash(Authority().server_context()) as server:
        *_, talk = output(server).checks()
    assert talk.error


def test_no_server_ends_with_the_connect() -> None:
    with FakeLogstash() as server:
        pass
    *_, last = output(server).checks()
    assert (last.step, bool(last.error)) == (Step.CONNECT, True)
