"""What a kernel recorded of a story, decoded, against the story (tests/system/trace_story.py)."""

import errno
import socket

import pytest

from connbeat.capture.formats import read_formats
from connbeat.capture.joins import CloseJoiner
from connbeat.capture.traces import TraceFolder
from connbeat.linux.ring_buffer import RawEvent, parse_page
from connbeat.model.connections import Direction
from connbeat.model.traces import Close, Trace
from tests.builders import address
from tests.traces import RECORDINGS, KnownSocket, Recording
from tests.unit.capture.test_traces import FakeSink

LATER = 1 << 62
NETNS = 7


class Told:
    """Everything that was decoded of one recording."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.sink = FakeSink()
        folder = TraceFolder(read_formats(recording.tracefs), self.sink)
        events: list[RawEvent] = []
        for page in recording.pages():
            assert parse_page(page, events) is None
        folder.fold(sorted(events, key=lambda event: event[0]))
        assert folder.malformed == 0
        joiner = CloseJoiner(lambda _: True)
        heard = [(NETNS, data, False) for data in recording.messages()]
        closes = joiner.join(heard, folder.by_cookie, LATER)
        assert joiner.malformed == 0
        self.closes = {close.socket.cookie: close for close in closes}
        self.opened, self.failed = folder.take(LATER)

    def of(self, role: str) -> list[tuple[KnownSocket, Close, Trace]]:
        found = []
        for known in self.recording.sockets(role):
            close = self.closes[known.cookie]
            assert close.trace is not None
            found.append((known, close, close.trace))
        assert found
        return found


@pytest.fixture(scope="module", params=RECORDINGS)
def told(request: pytest.FixtureRequest) -> Told:
    return Told(Recording(request.param))


def ends(close: Close) -> tuple[tuple[bytes, int], tuple[bytes, int]]:
    row = close.socket
    return (row.local_ip, row.local_port), (row.remote_ip, row.remote_port)


def test_every_socket_of_the_story_is_told_once_and_nothing_is_left_open(told: Told) -> None:
    cookies = [known.cookie for known in told.recording.story.sockets]
    assert set(cookies) <= told.closes.keys()
    assert told.opened == []


@pytest.mark.parametrize("role", ["client", "served", "reset", "unread", "unread after FIN"])
def test_the_bytes_are_the_payload_that_the_program_counted(told: Told, role: str) -> None:
    for known, close, _ in told.of(role):
        assert close.socket.counters is not None
        assert close.socket.counters.bytes_sent == known.sent
        assert close.socket.counters.bytes_received == known.received


@pytest.mark.parametrize(
    ("role", "direction"),
    [
        ("client", Direction.OUTBOUND),
        ("served", Direction.INBOUND),
        ("resetting", Direction.OUTBOUND),
        ("reset", Direction.INBOUND),
        ("alone", Direction.OUTBOUND),
        ("refused", Direction.OUTBOUND),
    ],
)
def test_each_end_has_its_addresses_its_direction_and_its_process(
    told: Told, role: str, direction: Direction
) -> None:
    for known, close, trace in told.of(role):
        assert ends(close) == (address(known.local), address(known.remote))
        assert trace.direction is direction
        assert trace.process is not None
        assert trace.process.pid == known.pid
        assert close.netns == NETNS


def test_both_families_are_in_the_story(told: Told) -> None:
    families = {close.socket.family for _, close, _ in told.of("served")}
    assert families == {socket.AF_INET, socket.AF_INET6}


def test_times_are_in_their_order(told: Told) -> None:
    for _, _, trace in [*told.of("client"), *told.of("served"), *told.of("reset")]:
        assert 0 < trace.opened_ns < trace.closed_ns
        assert trace.closed_ns - trace.opened_ns < 1_000_000_000


def test_a_reset_lost_its_counters_and_has_its_addresses(told: Told) -> None:
    for known, close, _ in told.of("resetting"):
        assert close.socket.counters is None
        assert ends(close) == (address(known.local), address(known.remote))


def test_a_listener_is_one_and_has_its_address_and_who_listened(told: Told) -> None:
    for known, close, trace in told.of("listener"):
        assert trace.is_listener
        assert ends(close)[0] == address(known.local)
        assert trace.process is not None
        assert trace.process.pid == known.pid


def test_the_refused_connect_failed_with_that_reason(told: Told) -> None:
    ((known, _, closed),) = told.of("refused")
    (failed,) = told.failed
    assert failed is closed
    assert failed.errno == errno.ECONNREFUSED
    assert (failed.local_ip, failed.local_port) == address(known.local)
    assert (failed.remote_ip, failed.remote_port) == address(known.remote)


def test_processes_begin_run_a_program_and_end(told: Told) -> None:
    for known in told.recording.story.processes:
        story = [row for row in told.sink.told if known.pid in row[1:3]]
        kinds = [row[0] for row in story]
        assert story[0] == ("forked", known.parent, known.pid, False)
        assert kinds[-1] == "exited"
        executed = [row[2] for row in story if row[0] == "executed"]
        assert executed == ([known.executed] if known.executed else [])
