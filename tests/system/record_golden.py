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
from connbeat.linux.netns import entered
from connbeat.linux.sock_diag import pack_dump_request
from tests.system.harness import PREFIX, Netns, call
from tests.system.oracles import decode_with_pyroute2

PROGRAM = Path(__file__).with_name("socket_states.py")
DATA = Path(__file__).parents[1] / "data"
VERSION = "linux-" + ".".join(platform.release().split(".")[:2])
_RTM_GETADDR = 22
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


def main() -> None:
    netns = Netns(f"{PREFIX}-golden")
    try:
        record_empty(netns)
        record_refusal(netns)
        record_tcp(netns)
        record_addresses(netns)
    finally:
        netns.close()


if __name__ == "__main__":
    main()
