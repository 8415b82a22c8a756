"""Golden data: what a kernel really said (tests/data, recorded by `scripts/golden`)."""

import ipaddress
from pathlib import Path

import msgspec

DATA = Path(__file__).parent / "data"

#: Every recording of the TCP table, `linux-X.Y-tcp`; one more kernel is one more file.
TCP_RECORDINGS = sorted(path.stem for path in (DATA / "netlink").glob("linux-*-tcp.hex"))


class Info(msgspec.Struct, frozen=True):
    """Fields of `tcp_info`, under the names of include/uapi/linux/tcp.h; 0 if not told."""

    rtt: int = 0
    total_retrans: int = 0
    bytes_acked: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    bytes_retrans: int = 0
    notsent_bytes: int = 0


class Row(msgspec.Struct, frozen=True):
    """One row as another program saw it: nothing unmapped, nothing corrected."""

    family: int
    state: int
    local: str
    local_port: int
    remote: str
    remote_port: int
    interface: int
    cookie: int
    inode: int
    uid: int
    rqueue: int
    wqueue: int
    is_v6_only: bool
    cgroup_id: int
    info: Info | None


class Known(msgspec.Struct, frozen=True):
    """What the program that made a socket knows of it; None is "nothing"."""

    cookie: int
    state: str
    sent: int | None
    received: int | None
    caller: bool | None


class TcpTable(msgspec.Struct, frozen=True):
    """The JSON beside a recorded dump."""

    sequence: int
    rows: list[Row]
    known: list[Known] = []


def read_datagrams(name: str) -> list[bytes]:
    """The datagrams of `tests/data/netlink/<name>.hex`: a paragraph each, `#` is a comment."""
    text = (DATA / "netlink" / f"{name}.hex").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    paragraphs = "\n".join(lines).strip().split("\n\n")
    return [bytes.fromhex(paragraph) for paragraph in paragraphs]


def read_tcp_table(name: str) -> TcpTable:
    return msgspec.json.decode((DATA / "netlink" / f"{name}.json").read_bytes(), type=TcpTable)


def packed(text: str) -> bytes:
    """The address in 4 bytes where IPv4 can say it: `ipaddress`, not connbeat's own `unmap`."""
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).packed
