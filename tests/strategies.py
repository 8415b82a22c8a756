"""What tests draw from: netlink messages, rows of the TCP table, and bytes that are almost right.

Messages are built here from the kernel's headers (include/uapi/linux), field by field at its
offset, so that a wrong layout in connbeat meets a right one and not itself.
"""

import socket
import struct

from hypothesis import strategies as st

from connbeat.model.sockets import Counters, Socket, TcpState

NLMSG_ERROR = 2
NLMSG_DONE = 3
NLM_F_MULTI = 0x002
NLM_F_DUMP_INTR = 0x010
SOCK_DIAG_TYPE = 18
INET_DIAG_INFO = 2
INET_DIAG_SKV6ONLY = 11
INET_DIAG_CGROUP_ID = 21

#: Where the fields of `tcp_info` stand (include/uapi/linux/tcp.h), and how they are packed.
TCP_INFO_OFFSETS = {
    "rtt": (68, "=I"),
    "total_retrans": (100, "=I"),
    "bytes_acked": (120, "=Q"),
    "bytes_received": (128, "=Q"),
    "notsent_bytes": (144, "=I"),
    "bytes_sent": (200, "=Q"),
    "bytes_retrans": (208, "=Q"),
}
#: How long `tcp_info` was when it got those fields, and how long it is in Linux 6.18.
TCP_INFO_4_1, TCP_INFO_4_19, TCP_INFO_6_18 = 136, 224, 280


# Builders


def pack_message(kind: int, payload: bytes, sequence: int = 1, flags: int = NLM_F_MULTI) -> bytes:
    header = struct.pack("=IHHII", 16 + len(payload), kind, flags, sequence, 0)
    return header + payload + bytes(-len(payload) % 4)


def pack_done(sequence: int = 1, error: int = 0) -> bytes:
    return pack_message(NLMSG_DONE, struct.pack("=i", error), sequence)


def pack_attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def pack_tcp_info(length: int = TCP_INFO_6_18, **fields: int) -> bytes:
    """A `tcp_info` of that length; a field that does not fit any more is left out."""
    info = bytearray(max(length, TCP_INFO_6_18))
    for name, value in fields.items():
        offset, layout = TCP_INFO_OFFSETS[name]
        struct.pack_into(layout, info, offset, value)
    return bytes(info[:length])


def pack_row(row: Socket, *attributes: bytes) -> bytes:
    """`struct inet_diag_msg` of this socket, with these attributes; its counters are not in it."""
    message = bytearray(72)
    message[0], message[1] = row.family, row.state
    struct.pack_into(">HH", message, 4, row.local_port, row.remote_port)
    for offset, ip in ((8, row.local_ip), (24, row.remote_ip)):
        is_mapped = row.family == socket.AF_INET6 and len(ip) == 4
        address = bytes(10) + b"\xff\xff" + ip if is_mapped else ip
        message[offset : offset + len(address)] = address
    struct.pack_into("=I", message, 40, row.interface)
    struct.pack_into("=Q", message, 44, row.cookie)
    struct.pack_into("=I", message, 56, row.rqueue)
    struct.pack_into("=I", message, 60, row.wqueue)
    struct.pack_into("=I", message, 64, row.uid)
    struct.pack_into("=I", message, 68, row.inode)
    return bytes(message) + b"".join(attributes)


def make_socket(**fields: object) -> Socket:
    """An established connection between two documentation addresses, but for these fields."""
    defaults: dict[str, object] = {
        "family": socket.AF_INET,
        "state": TcpState.ESTABLISHED,
        "local_ip": bytes([192, 0, 2, 1]),
        "local_port": 40000,
        "remote_ip": bytes([198, 51, 100, 2]),
        "remote_port": 443,
        "interface": 0,
        "cookie": 0x1122334455667788,
        "inode": 4242,
        "uid": 1000,
        "rqueue": 0,
        "wqueue": 0,
        "cgroup_id": 0,
        "is_v6_only": False,
        "counters": None,
    }
    return Socket(**(defaults | fields))  # type: ignore[arg-type]  # fields by name, for brevity


# Strategies

_U16 = st.integers(0, 0xFFFF)
_U32 = st.integers(0, 0xFFFF_FFFF)
_U64 = st.integers(0, 0xFFFF_FFFF_FFFF_FFFF)
_V4 = st.binary(min_size=4, max_size=4)
_V6 = st.binary(min_size=16, max_size=16).filter(lambda ip: ip[:12] != bytes(10) + b"\xff\xff")

counters = st.builds(
    Counters,
    bytes_sent=_U64,
    bytes_received=_U64,
    retransmits=_U32,
    rtt_us=_U32,
    client_excess=st.sampled_from([None, 0, 1]),
)


@st.composite
def sockets(draw: st.DrawFn) -> Socket:
    """Any row sock_diag may give, without counters: those are `tcp_info`'s."""
    family = draw(st.sampled_from([socket.AF_INET, socket.AF_INET6]))
    address = _V4 if family == socket.AF_INET else st.one_of(_V4, _V6)
    return Socket(
        family=family,
        state=draw(st.integers(1, 12)),
        local_ip=draw(address),
        local_port=draw(_U16),
        remote_ip=draw(address),
        remote_port=draw(_U16),
        interface=draw(_U32),
        cookie=draw(_U64),
        inode=draw(_U32),
        uid=draw(_U32),
        rqueue=draw(_U32),
        wqueue=draw(_U32),
        cgroup_id=draw(_U64),
        is_v6_only=draw(st.booleans()),
        counters=None,
    )


def hostile(good: bytes) -> st.SearchStrategy[bytes]:
    """Bytes that are almost right: cut, overwritten, or with something spliced in, anywhere.

    After mitmproxy's TLS tests: noise from the start seldom gets past the first length field.
    """

    def cut(at: int) -> bytes:
        return good[:at]

    def overwrite(at: int, noise: bytes) -> bytes:
        return good[:at] + noise + good[at + len(noise) :]

    def splice(at: int, noise: bytes) -> bytes:
        return good[:at] + noise + good[at:]

    at = st.integers(0, len(good))
    noise = st.binary(min_size=1, max_size=24)
    return st.one_of(
        st.builds(cut, at),
        st.builds(overwrite, at, noise),
        st.builds(splice, at, noise),
        st.binary(max_size=256),
    )
