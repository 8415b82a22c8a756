"""Connects that failed, and the record that says why: before it, after it, or never."""

import errno

import pytest

from connbeat.capture.failures import CANCELLED, NO_PORT, Failures
from connbeat.model.connections import Direction
from connbeat.model.traces import Trace

MS = 1_000_000
NOW = 5_000_000_000
REMOTE = bytes([192, 0, 2, 1])


def connect(port: int = 40000) -> Trace:
    trace = Trace(1, Direction.OUTBOUND, 0)
    trace.remote_ip, trace.local_port, trace.remote_port = REMOTE, port, 80
    return trace


@pytest.fixture
def failures() -> Failures:
    return Failures(tells_why=True)


@pytest.mark.parametrize("in_process", [True, False])
def test_a_reason_that_comes_after_is_the_reason_whoever_ran(
    failures: Failures, in_process: bool
) -> None:
    """A refusal on loopback comes in the context of the process that connects."""
    trace = connect()
    failures.add(trace, NOW, in_process=in_process)
    failures.explain((REMOTE, 40000, 80), errno.ECONNREFUSED, NOW + 2000)
    assert failures.take(NOW + MS) == [trace]
    assert (trace.errno, trace.failed_ns) == (errno.ECONNREFUSED, NOW)
    assert failures.take(NOW + 50 * MS) == []


def test_a_reason_that_comes_before_is_the_reason(failures: Failures) -> None:
    """As before Linux 6.10, for timeouts and what ICMP says."""
    trace = connect()
    failures.explain((REMOTE, 40000, 80), errno.ETIMEDOUT, NOW - 2000)
    failures.add(trace, NOW, in_process=False)
    assert failures.take(NOW + MS) == [trace]
    assert trace.errno == errno.ETIMEDOUT


def test_a_reason_may_come_in_the_next_turn(failures: Failures) -> None:
    trace = connect()
    failures.add(trace, NOW, in_process=False)
    assert failures.take(NOW + 9 * MS) == []
    failures.explain((REMOTE, 40000, 80), errno.EHOSTUNREACH, NOW + 100)
    assert failures.take(NOW + 250 * MS) == [trace]
    assert trace.errno == errno.EHOSTUNREACH


def test_without_a_reason_its_process_gave_it_up(failures: Failures) -> None:
    trace = connect()
    failures.add(trace, NOW, in_process=True)
    assert failures.take(NOW + 9 * MS) == []
    assert failures.take(NOW + 10 * MS) == [trace]
    assert trace.errno == CANCELLED == errno.ECANCELED


def test_without_a_reason_and_not_by_its_process_nobody_knows(failures: Failures) -> None:
    trace = connect()
    failures.add(trace, NOW, in_process=False)
    assert failures.take(NOW + 10 * MS) == [trace]
    assert trace.errno == 0


def test_a_connect_that_found_no_local_port_says_so_at_once(failures: Failures) -> None:
    trace = connect(port=0)
    failures.add(trace, NOW, in_process=True)
    assert failures.take(NOW) == [trace]
    assert trace.errno == NO_PORT == errno.EADDRNOTAVAIL


def test_a_reason_of_another_connection_is_not_taken(failures: Failures) -> None:
    trace = connect()
    failures.add(trace, NOW, in_process=True)
    failures.explain((REMOTE, 40001, 80), errno.ECONNREFUSED, NOW)
    failures.explain((REMOTE, 40000, 81), errno.ECONNREFUSED, NOW)
    assert failures.take(NOW + 10 * MS) == [trace]
    assert trace.errno == CANCELLED


def test_an_old_reason_is_of_an_older_connection(failures: Failures) -> None:
    """A connection that was reset frees its ports; the next one with them failed otherwise."""
    trace = connect()
    failures.explain((REMOTE, 40000, 80), errno.ECONNRESET, NOW - 11 * MS)
    failures.add(trace, NOW, in_process=True)
    failures.take(NOW + 10 * MS)
    assert trace.errno == CANCELLED


def test_reasons_of_connections_that_did_not_fail_are_forgotten(failures: Failures) -> None:
    for port in range(1000):
        failures.explain((REMOTE, port, 80), errno.ECONNRESET, NOW)
    failures.take(NOW + 11 * MS)
    assert not failures._errors


def test_two_failures_with_the_same_addresses_are_both_told(failures: Failures) -> None:
    """Of two namespaces, or one port used again at once."""
    first, second = connect(), connect()
    failures.add(first, NOW, in_process=False)
    failures.add(second, NOW + 10, in_process=False)
    failures.explain((REMOTE, 40000, 80), errno.ECONNREFUSED, NOW + 20)
    assert failures.take(NOW + MS) == [first, second]
    assert (first.errno, second.errno) == (0, errno.ECONNREFUSED)


def test_after_a_loss_nobody_can_tell_what_was_given_up(failures: Failures) -> None:
    trace = connect()
    failures.add(trace, NOW, in_process=True)
    failures.lose()
    assert failures.take(NOW + 10 * MS) == [trace]
    assert trace.errno == 0


def test_a_kernel_that_tells_no_reasons_says_nothing_by_their_absence() -> None:
    failures, trace = Failures(tells_why=False), connect()
    failures.add(trace, NOW, in_process=True)
    assert failures.take(NOW + 10 * MS) == [trace]
    assert trace.errno == 0


LOCAL = bytes([192, 0, 2, 9])


@pytest.mark.parametrize(
    ("code", "told"),
    # "fragmentation needed" is no answer to a SYN
    [(3, errno.ECONNREFUSED), (1, errno.EHOSTUNREACH), (4, errno.ENETUNREACH)],
)
def test_one_that_our_firewall_rejected_meanwhile_was_not_given_up_of_its_own_accord(
    failures: Failures, code: int, told: int
) -> None:
    trace = connect()
    trace.local_ip, trace.opened_ns = LOCAL, NOW
    failures.reject((LOCAL, REMOTE), 13, NOW - 1)  # another one's, before
    failures.reject((LOCAL, REMOTE), code, NOW + 50_000)
    failures.reject((LOCAL, REMOTE), 0, NOW + 90_000)
    failures.add(trace, NOW + 300 * MS, in_process=True)
    failures.take(NOW + 1000 * MS)
    assert trace.errno == told


@pytest.mark.parametrize(("rejected_ns", "failed_ns"), [(2 * MS, 300 * MS), (90_000, 80_000)])
def test_a_rejection_after_connect_or_the_end_or_of_other_hosts_is_none_of_it(
    failures: Failures, rejected_ns: int, failed_ns: int
) -> None:
    failures.reject((REMOTE, LOCAL), 3, NOW + 50_000)
    failures.reject((LOCAL, REMOTE), 3, NOW + rejected_ns)
    trace = connect()
    trace.local_ip, trace.opened_ns = LOCAL, NOW
    failures.add(trace, NOW + failed_ns, in_process=True)
    failures.take(NOW + 1000 * MS)
    assert trace.errno == CANCELLED


def test_rejections_are_forgotten_after_some_seconds(failures: Failures) -> None:
    for second in range(10):
        failures.reject((LOCAL, REMOTE), 3, NOW + second * 1000 * MS)
    failures.take(NOW + 9000 * MS)
    assert [len(told) for told in failures._rejected.values()] == [4]
    failures.take(NOW + 60_000 * MS)
    assert failures._rejected == {}


def test_rejections_without_end_are_kept_within_a_bound(
    failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connbeat.capture.failures._MAX_REJECTED", 10)
    for number in range(1000):
        failures.reject((LOCAL, REMOTE), 3, NOW + number)
    (kept,) = failures._rejected.values()
    assert (len(kept) <= 10, kept[-1]) == (True, (NOW + 999, errno.ECONNREFUSED))
