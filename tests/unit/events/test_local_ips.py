from connbeat.events.local_ips import LocalIps
from connbeat.model.addresses import parse_ip
from tests.builders import SECOND

HOUR = 3600 * SECOND
HOST = ""


def seen(*texts: str) -> LocalIps:
    made = LocalIps()
    for text in texts:
        made.add(HOST, parse_ip(text), 0)
    return made


def test_addresses_are_told_in_the_order_in_which_they_were_seen() -> None:
    assert seen("10.0.0.2", "2001:db8::1", "10.0.0.1", "10.0.0.2").of(HOST) == [
        "10.0.0.2",
        "2001:db8::1",
        "10.0.0.1",
    ]


def test_loopback_and_wildcards_are_nobody_s() -> None:
    assert seen("127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::").of(HOST) == []


def test_owners_do_not_share() -> None:
    ips = seen("10.0.0.1")
    ips.add("c1", parse_ip("172.17.0.2"), 0)
    assert (ips.of(HOST), ips.of("c1"), ips.of("c2")) == (["10.0.0.1"], ["172.17.0.2"], [])


def test_an_address_that_was_not_used_for_an_hour_is_forgotten() -> None:
    ips = seen("10.0.0.1", "10.0.0.2")
    ips.add(HOST, parse_ip("10.0.0.2"), HOUR)
    ips.expire(HOUR)
    assert ips.of(HOST) == ["10.0.0.1", "10.0.0.2"]
    ips.expire(HOUR + 1)
    assert ips.of(HOST) == ["10.0.0.2"]
    ips.expire(3 * HOUR)
    assert ips.of(HOST) == []
    assert ips._seen == {}


def test_there_is_an_end_to_the_addresses_of_one_owner() -> None:
    ips = LocalIps()
    used = [b"\x0a\x00" + number.to_bytes(2, "big") for number in range(300)]
    assert [ips.add(HOST, ip, number) for number, ip in enumerate(used)].count(True) == 256
    first = ips.of(HOST)
    assert (len(first), first[0]) == (256, "10.0.0.0")
    for ip in used:  # all of them are in use: the list stays as it is
        assert not ips.add(HOST, ip, 59 * SECOND)
    assert ips.of(HOST) is first
    assert ips.add(HOST, used[0], 61 * SECOND) is False
    assert ips.add(HOST, used[299], 62 * SECOND) is True
    assert (ips.of(HOST)[0], ips.of(HOST)[-1]) == ("10.0.0.0", "10.0.1.43")
    assert "10.0.0.1" not in ips.of(HOST)


def test_there_is_an_end_to_the_owners() -> None:
    ips = LocalIps()
    for number in range(10_001):
        ips.add(str(number), b"\x0a\x00\x00\x01", 0)
    assert ips.of("0") == []
    assert ips.of("10000") == ["10.0.0.1"]
    assert len(ips._seen) == 10_000
