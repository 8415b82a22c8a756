"""How a lane decides, with connections that answer as they are told."""

import logging

import pytest

from connbeat.errors import Transient
from connbeat.outputs.hosts import HostUrl
from connbeat.outputs.http import lane as lane_module
from connbeat.outputs.http.answers import Answer
from connbeat.outputs.http.config import HttpConfig
from connbeat.outputs.http.lane import Lane
from connbeat.outputs.http.progress import Progress
from tests.deliveries import FakeClock, events, ids


class Hosts:
    """What each host answers, in its order, and who was asked; at the end everything is taken."""

    def __init__(self) -> None:
        self.plans: dict[str, list[int | Exception]] = {}
        self.asked: list[tuple[str, bytes]] = []
        self.retry_after = ""


class FakeConnection:
    def __init__(self, url: HostUrl, hosts: Hosts) -> None:
        self.url = url
        self._hosts = hosts

    def is_usable(self) -> bool:
        return True

    def close(self) -> None:
        pass

    def post(self, body: bytes) -> Answer:
        self._hosts.asked.append((self.url.host, body))
        plan = self._hosts.plans.get(self.url.host, [])
        answer = plan.pop(0) if plan else 200
        if isinstance(answer, Exception):
            raise answer
        return Answer(status=answer, text="words", retry_after=self._hosts.retry_after)


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    hosts = Hosts()
    monkeypatch.setattr(lane_module, "HttpConnection", lambda url, *_: FakeConnection(url, hosts))
    return hosts


def sent(config: HttpConfig, count: int = 3, *, in_one: bool = False) -> Progress:
    lane = Lane(config, "1", FakeClock(), begin=0)
    progress = Progress([events(count)] if in_one else [(one,) for one in events(count)])
    lane.run(progress)
    lane.close()
    return progress


def test_a_refused_event_is_dropped_with_the_server_s_words(hosts: Hosts) -> None:
    hosts.plans["a"] = [200, 400, 413]
    outcome = sent(HttpConfig(hosts=("a",))).outcome()
    assert ids(outcome.delivered) == ["e0"]
    assert [(drop.reason, drop.detail) for drop in outcome.dropped] == [
        ("refused", "400 words"),
        ("too_large", "413 words"),
    ]


@pytest.mark.parametrize("status", [400, 413])
def test_a_refused_batch_is_halved_until_the_guilty_event_stands_alone(
    hosts: Hosts, status: int
) -> None:
    hosts.plans["a"] = [status, 200, status, status]
    outcome = sent(HttpConfig(hosts=("a",), batch="ndjson"), 4, in_one=True).outcome()
    assert ids(outcome.delivered) == ["e0", "e1", "e3"]
    assert [drop.event.id for drop in outcome.dropped] == ["e2"]


def test_a_busy_server_ends_the_batch_and_its_wish_is_passed_on(hosts: Hosts) -> None:
    hosts.plans["a"] = [200, 503]
    hosts.retry_after = "9"
    outcome = sent(HttpConfig(hosts=("a",)), 5).outcome()
    assert (ids(outcome.delivered), len(outcome.retry)) == (["e0"], 4)
    assert outcome.retry_after_seconds == 9
    assert len(hosts.asked) == 2


def test_an_event_that_makes_the_server_fail_holds_up_nobody(hosts: Hosts) -> None:
    hosts.plans["a"] = [500, 200, 200]
    outcome = sent(HttpConfig(hosts=("a",))).outcome()
    assert (ids(outcome.retry), ids(outcome.delivered)) == (["e0"], ["e1", "e2"])


@pytest.mark.parametrize("status", [301, 401, 403, 404])
def test_what_is_no_fault_of_the_events_makes_them_wait_and_is_logged(
    hosts: Hosts, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    hosts.plans["a"] = [status] * 9
    with pytest.raises(Transient, match=f"a:80 answers {status}"):
        sent(HttpConfig(hosts=("a",))).outcome()
    assert len(hosts.asked) == 1
    assert f"answer={status}" in caplog.text


def test_another_host_takes_over(hosts: Hosts) -> None:
    hosts.plans["a"] = [200, Transient("reset")]
    outcome = sent(HttpConfig(hosts=("a", "b"), loadbalance=False), 4).outcome()
    assert len(outcome.delivered) == 4
    assert [host for host, _ in hosts.asked] == ["a", "a", "b", "b", "b"]


def test_another_host_takes_over_from_one_that_is_busy(hosts: Hosts) -> None:
    hosts.plans["a"] = [503]
    outcome = sent(HttpConfig(hosts=("a", "b"), loadbalance=False), 2).outcome()
    assert len(outcome.delivered) == 2


def test_when_no_host_can_be_talked_to_each_is_named(hosts: Hosts) -> None:
    hosts.plans = {"a": [Transient("reset")] * 2, "b": [Transient("timeout")] * 2}
    with pytest.raises(Transient, match=r"a:80: reset; b:80: timeout"):
        sent(HttpConfig(hosts=("a", "b"), loadbalance=False)).outcome()


def test_a_mistake_of_our_own_reaches_the_worker(hosts: Hosts) -> None:
    hosts.plans["a"] = [ZeroDivisionError()]
    with pytest.raises(ZeroDivisionError):
        sent(HttpConfig(hosts=("a",))).outcome()
