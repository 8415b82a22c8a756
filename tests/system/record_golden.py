"""Records what this machine's kernel says, for the tests that decode it: `scripts/golden`.

Writes `tests/data/netlink/linux-X.Y-*.hex`, each with the decoded JSON beside it, and the tables of
the same moment to `tests/data/proc/linux-X.Y/`. The JSON comes from pyroute2, from `ip`, and from
the program that made the sockets, never from our own codec. Review reads the diff.
"""

import errno
import json
import platform
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from connbeat.linux import netlink
from connbeat.linux.conntrack import NETLINK_NETFILTER, pack_get
from connbeat.linux.netns import entered
from connbeat.linux.sock_diag import pack_dump_request
from connbeat.model.connections import FourTuple
from tests.golden import packed
from tests.system.harness import PREFIX, Netns, call
from tests.system.oracles import decode_with_pyroute2

PROGRAM = Path(__file__).with_name("socket_states.py")
DATA = Path(__file__).parents[1] / "data"
VERSION = "linux-" + ".".join(platform.release().split(".")[:2])
_RTM_GETADDR = 22
_RULES = (
    ("iptables", "OUTPUT -d 10.96.0.10 -p tcp -j DNAT --to-destination 192.0.2.9:8080"),
    ("iptables", "POSTROUTING -d 192.0.2.9 -p tcp -j SNAT --to-source 192.0.2.8"),
    ("ip6tables", "OUTPUT -d 2001:db8:96::10 -p tcp -j DNAT --to-destination [::1]:8080"),
)
_TABLES = ("tcp", "tcp6", "snmp", "sockstat", "sockstat6")


def ask(family: int, request: bytes) -> list[bytes]:
    """The datagrams that answer, as they came, in the namespace the thread is in."""
    datagrams: list[bytes] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family) as opened:
        opened.settimeout(5)
        opened.send(request)
        while True:
            datagrams.append(opened.recv(netlink.RECEIVE_BYTES))
            offset = 0
            while offset < len(datagrams[-1]):
                length, kind = struct.unpack_from("=IH", datagrams[-1], offset)
                if kind in (netlink.NLMSG_ERROR, netlink.NLMSG_DONE):
                    return datagrams
                offset += (length + 3) & ~3


def in_namespace(netns: Netns, read: Callable[[], list[bytes]]) -> list[bytes]:
    with entered(Path("/run/netns", netns.name), netns.inode):
        return read()


def write(name: str, comment: str, datagrams: list[bytes], decoded: dict[str, Any]) -> None:
    path = DATA / "netlink" / f"{VERSION}-{name}.hex"
    lines = [f"# {comment}", f"# {platform.release()}, byte order {sys.byteorder}"]
    for datagram in datagrams:
        lines.append("")
        lines += [datagram[start : start + 48].hex() for start in range(0, len(datagram), 48)]
    path.write_text("\n".join(lines) + "\n")
    path.with_suffix(".json").write_text(to_json(decoded))


def to_json(decoded: dict[str, Any]) -> str:
    """One line for each element of a list, so that a diff can be read."""
    members = []
    for key, value in decoded.items():
        text = json.dumps(value)
        if isinstance(value, list) and value:
            text = "[\n  " + ",\n  ".join(json.dumps(element) for element in value) + "\n ]"
        members.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(members) + "\n}\n"


def record_tcp(netns: Netns) -> None:
    process = netns.start(sys.executable, str(PROGRAM), "1")
    assert process.stdout is not None
    known = json.loads(process.stdout.readline())
    folder = Path("/proc", str(process.pid), "net")

    def dump() -> list[bytes]:
        return in_namespace(netns, lambda: ask(netlink.NETLINK_SOCK_DIAG, pack_dump_request(1)))

    while True:
        datagrams = dump()
        tables = {name: (folder / name).read_bytes() for name in _TABLES}
        decoded = decode_with_pyroute2(datagrams)
        if decoded == decode_with_pyroute2(dump()):
            break
    comment = "Every TCP socket of a namespace in which tests/system/socket_states.py ran."
    rows = msgspec.to_builtins(decoded)
    write("tcp", comment, datagrams, {"sequence": 1, "known": known, "rows": rows})
    target = DATA / "proc" / VERSION
    target.mkdir(parents=True, exist_ok=True)
    for name, content in tables.items():
        (target / name).write_bytes(content)
    process.communicate()


def record_empty(netns: Netns) -> None:
    datagrams = in_namespace(netns, lambda: ask(netlink.NETLINK_SOCK_DIAG, pack_dump_request(7)))
    write("tcp-empty", "A namespace without a socket.", datagrams, {"sequence": 7, "rows": []})


def record_refusal(netns: Netns) -> None:
    """A dump of a protocol that nobody registered: SOCK_DIAG_BY_FAMILY, IPv4, protocol 200."""
    request = netlink.pack_request(20, 9, struct.pack("=BBBBI48x", socket.AF_INET, 200, 0, 0, 0))
    datagrams = in_namespace(netns, lambda: ask(netlink.NETLINK_SOCK_DIAG, request))
    number = -struct.unpack_from("=i", datagrams[0], 16)[0]
    comment = "A dump of a protocol that there is not, refused."
    write("refused", comment, datagrams, {"sequence": 9, "errno": errno.errorcode[number]})


def record_addresses(netns: Netns) -> None:
    call("ip", "-n", netns.name, "link", "add", "one", "type", "veth", "peer", "two")
    for address in ("192.0.2.1/24", "198.51.100.1 peer 198.51.100.2/32", "2001:db8::1/64"):
        call("ip", "-n", netns.name, "address", "add", *address.split(), "dev", "one")
    request = netlink.pack_request(_RTM_GETADDR, 3, struct.pack("=BBBBI", 0, 0, 0, 0, 0))
    datagrams = in_namespace(netns, lambda: ask(netlink.NETLINK_ROUTE, request))
    links = json.loads(call("ip", "-n", netns.name, "-json", "address"))
    addresses = [address["local"] for link in links for address in link["addr_info"]]
    write(
        "addresses",
        "The addresses of a namespace, one of a point-to-point link.",
        datagrams,
        {"sequence": 3, "addresses": addresses},
    )


def track(netns: Netns) -> list[socket.socket]:
    """Connections through a service address that hides the caller as well, and a direct one."""
    inside = ("nsenter", f"--net=/run/netns/{netns.name}")
    for address in ("192.0.2.7/24", "192.0.2.8/24", "192.0.2.9/24", "2001:db8::7/64"):
        call("ip", "-n", netns.name, "address", "add", address, "dev", "lo")
    for network in ("10.96.0.0/16", "2001:db8:96::/64"):
        call("ip", "-n", netns.name, "route", "add", network, "dev", "lo")
    for command, rule in _RULES:
        call(*inside, command, "-t", "nat", "-A", *rule.split())
    return [
        *connected(netns, "192.0.2.9", ("192.0.2.7", 40001), ("10.96.0.10", 80)),
        *connected(netns, "127.0.0.1", ("127.0.0.1", 40002), ("127.0.0.1", 8080)),
        *connected(netns, "::1", ("2001:db8::7", 40003), ("2001:db8:96::10", 80)),
    ]


def record_conntrack(netns: Netns) -> None:
    opened = track(netns)
    known = tracked_in(netns)
    asked = [entry["original"] for entry in known] + [entry["reply"] for entry in known]
    requests = [pack_get(number + 1, packed_tuple(ends)) for number, ends in enumerate(asked)]
    count = netlink.pack_request(0x105, 99, b"\0\0\0\0", flags=0)
    nobody = pack_get(100, packed_tuple(["192.0.2.7", 1, "192.0.2.9", 2]))
    datagrams = in_namespace(
        netns, lambda: [answer(request) for request in (*requests, count, nobody)]
    )
    for end in opened:
        end.close()
    write(
        "conntrack",
        "Tracked connections, each asked for by both of its tuples; their count; and none.",
        datagrams,
        {"entries": known, "count": len(known)},
    )


def connected(
    netns: Netns, listen_ip: str, source: tuple[str, int], to: tuple[str, int]
) -> list[socket.socket]:
    family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
    with entered(Path("/run/netns", netns.name), netns.inode):
        listener, client = socket.socket(family), socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((listen_ip, 8080))
    listener.listen()
    client.bind(source)
    client.connect(to)
    return [listener.accept()[0], client, listener]


def tracked_in(netns: Netns) -> list[dict[str, list[Any]]]:
    """The kernel's own list: `... src=A dst=B sport=1 dport=2 src=B dst=A sport=2 dport=1 ...`."""
    text = call("nsenter", f"--net=/run/netns/{netns.name}", "cat", "/proc/net/nf_conntrack")
    entries = []
    for line in text.splitlines():
        words = [word.partition("=")[::2] for word in line.split() if "=" in word]
        tuples = [
            [value[0], int(value[2]), value[1], int(value[3])]
            for value in ([word[1] for word in words[at : at + 4]] for at in (0, 4))
        ]
        entries.append({"original": tuples[0], "reply": tuples[1]})
    return sorted(entries, key=lambda entry: entry["original"][1])


def packed_tuple(ends: list[Any]) -> FourTuple:
    return packed(ends[0]), ends[1], packed(ends[2]), ends[3]


def answer(request: bytes) -> bytes:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as opened:
        opened.send(request)
        return opened.recv(netlink.RECEIVE_BYTES)


def main() -> None:
    netns = Netns(f"{PREFIX}-golden")
    try:
        record_empty(netns)
        record_refusal(netns)
        record_tcp(netns)
        record_addresses(netns)
        record_conntrack(netns)
    finally:
        netns.close()


if __name__ == "__main__":
    main()
