"""The codec against the kernel's own list of tracked connections."""

from pathlib import Path

import pytest

from connbeat.linux.conntrack import ConntrackSocket, Entry
from connbeat.linux.netns import entered
from tests.system.harness import Netns
from tests.system.record_golden import packed_tuple, track, tracked_in


@pytest.fixture
def conntrack(netns: Netns) -> ConntrackSocket:
    with entered(Path("/run/netns", netns.name), netns.inode):
        return ConntrackSocket()


def test_each_is_found_by_both_of_its_tuples_while_open_and_after(
    netns: Netns, conntrack: ConntrackSocket
) -> None:
    assert conntrack.count() == 0
    opened = track(netns)
    entries = [
        Entry(packed_tuple(it["original"]), packed_tuple(it["reply"])) for it in tracked_in(netns)
    ]
    assert len(entries) == conntrack.count() == 3
    for is_open in (True, False):
        for entry in entries:
            is_direct = entry.original[:2] == entry.reply[2:] and (
                entry.original[2:] == entry.reply[:2]
            )
            assert conntrack.get(entry.original) == (None if is_direct else entry)
            assert conntrack.get(entry.reply) == entry
        if is_open:
            for end in opened:
                end.close()
    conntrack.close()


def test_nobody_s_connection_is_not_found(netns: Netns, conntrack: ConntrackSocket) -> None:
    opened = track(netns)
    ends = packed_tuple(["192.0.2.7", 1, "192.0.2.9", 2])
    assert conntrack.get(ends) is None
    v6 = packed_tuple(["2001:db8::7", 1, "2001:db8::9", 2])
    assert conntrack.get(v6) is None
    for end in opened:
        end.close()
    conntrack.close()
