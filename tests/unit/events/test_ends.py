from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from connbeat.events import ends
from connbeat.events.ends import Ends
from connbeat.events.policy import DocumentPolicy
from connbeat.model.connections import ConnectionReport, Party, RemoteParty
from connbeat.model.containers import DockerHost
from connbeat.model.processes import UnknownReason
from tests.builders import HOST_NETNS, connection_report
from tests.reports import CURL, NOW_NS, POD, WEB

PARTY = Party(CURL, WEB)
POD_PARTY = Party(CURL, msgspec.structs.replace(WEB, labels=POD))


def made(**policy: Any) -> Ends:
    one = Ends(str)
    one.set_docker_host(DockerHost("dh", ()))
    one.set_policy(DocumentPolicy(**{"name": "h1", "hostname": "h1", "version": "1"} | policy))
    one.begin(HOST_NETNS, NOW_NS)
    return one


def of(party: Party, local: str = "10.0.0.1:1") -> ConnectionReport:
    return msgspec.structs.replace(connection_report(local), local=party)


def test_the_near_end_is_encoded_once_and_reads_as_its_mappings() -> None:
    one = made()
    report = of(POD_PARTY)
    near = one.encoded_near(report)
    assert one.encoded_near(report) is near
    plain = one.near(report)
    assert one.near(report) is plain
    for name in ("beat", "process", "container", "kubernetes"):
        assert isinstance(getattr(near, name), msgspec.Raw)
        assert msgspec.json.decode(getattr(near, name)) == getattr(plain, name)


def test_what_is_not_there_stays_away() -> None:
    one = made()
    near = one.encoded_near(of(Party(CURL, None)))
    assert (near.container, near.kubernetes) == (UNSET, UNSET)
    for far in (one.far(None), one.encoded_far(None), one.encoded_far(RemoteParty(None, None))):
        assert (far.process, far.container) == (UNSET, UNSET)
    hidden = made(expose_process_info=False)
    assert hidden.encoded_far(RemoteParty(CURL, None)).process is UNSET


@pytest.mark.parametrize("is_shown", [True, False])
def test_without_a_process_to_tell_of_each_socket_has_its_own_near_end(is_shown: bool) -> None:
    one = made(expose_process_info=is_shown)
    party = Party(UnknownReason.EXITED if is_shown else CURL, None)
    nears = [one.encoded_near(msgspec.structs.replace(of(party), inode=inode)) for inode in (1, 2)]
    words = "Unknown process" if is_shown else "Process"
    assert [near.process["binary"] for near in nears] == [  # type: ignore[call-overload]  # not encoded
        f"{words} with inode 1",
        f"{words} with inode 2",
    ]


def test_another_address_is_told_from_the_next_event_on() -> None:
    one = made()
    for party, section in ((Party(CURL, None), "beat"), (PARTY, "container")):
        one.encoded_near(of(party))
        one.encoded_near(of(party, "10.9.9.9:1"))
        told = msgspec.json.decode(getattr(one.encoded_near(of(party)), section))
        assert told["local_ips"][-2:] == ["10.0.0.1", "10.9.9.9"]


def test_an_address_is_the_host_s_only_where_it_was_seen_in_the_host_s_namespace() -> None:
    one = made()
    party = Party(CURL, None)
    elsewhere = msgspec.structs.replace(of(party, "10.9.9.9:1"), netns=HOST_NETNS + 1)
    for report, own in ((of(party), []), (elsewhere, []), (of(party, "10.9.9.9:1"), ["10.9.9.9"])):
        told = msgspec.json.decode(one.encoded_near(report).beat)  # type: ignore[arg-type]  # encoded: Raw
        assert told["local_ips"] == ["10.0.0.1", *own]


def test_the_far_end_is_encoded_once_for_the_same_process_and_container() -> None:
    one = made()
    far = one.encoded_far(RemoteParty(CURL, WEB))
    assert one.encoded_far(RemoteParty(CURL, WEB)) is far
    assert one.encoded_far(RemoteParty(CURL, None)).container is UNSET
    assert msgspec.json.decode(far.process) == {"binary": CURL.binary, "pid": CURL.pid}  # type: ignore[arg-type]  # it is there
    one.begin(HOST_NETNS, NOW_NS)
    assert one.encoded_far(RemoteParty(CURL, WEB)) is not far


def test_there_is_an_end_to_the_ends_that_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "_MAX_ENDS", 2)
    one = made()
    parties = [Party(CURL, None) for _ in range(3)]
    for party in parties:
        one.encoded_near(of(party))
    assert [near.party for near in one._nears.values()] == [parties[2]]
