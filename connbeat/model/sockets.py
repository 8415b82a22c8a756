"""What the kernel says about sockets: one row, and one dump of a namespace."""

import enum

import msgspec

#: The prefix of an IPv4 address inside an IPv6 socket (RFC 4291, 2.5.5.2).
V4_MAPPED = b"\x00" * 10 + b"\xff\xff"


class TcpState(enum.IntEnum):
    """include/net/tcp_states.h; `label` is the name in documents."""

    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECV = 3
    FIN_WAIT1 = 4
    FIN_WAIT2 = 5
    TIME_WAIT = 6
    CLOSE = 7
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    CLOSING = 11
    NEW_SYN_RECV = 12
    BOUND_INACTIVE = 13

    @property
    def label(self) -> str:
        return self.name.lower()


class SocketSource(enum.StrEnum):
    """Where a snapshot came from."""

    INET_DIAG = "inet_diag"
    PROC_NET_TCP = "proc_net_tcp"


class Counters(msgspec.Struct, frozen=True, gc=False):
    """The part of `tcp_info` that we report; bytes are payload, without SYN, FIN and repeats.

    `client_excess` is 1 if the kernel's counters say this end called connect(), 0 if it accepted,
    None if they cannot tell (kernels before 4.19, or a connection that is closing): the client's
    SYN counts in `tcpi_bytes_acked`, the server's does not.
    """

    bytes_sent: int
    bytes_received: int
    retransmits: int
    rtt_us: int
    client_excess: int | None


class Socket(msgspec.Struct, frozen=True, gc=False):
    """One row of a namespace's TCP table.

    `cookie` is the kernel's 64-bit identity of the socket, the same in every later row of it; 0
    where the source has none (`proc_net_tcp`). `inode` and `uid` are 0 where the kernel no longer
    knows them (TIME_WAIT, SYN_RECV, orphans): 0 is "unknown", not root. For a listener `rqueue` is
    the present and `wqueue` the greatest backlog; otherwise they are bytes. `cgroup_id` is 0 or 1
    where it says nothing (cgroup v1).
    """

    family: int
    state: int
    local_ip: bytes
    local_port: int
    remote_ip: bytes
    remote_port: int
    interface: int
    cookie: int
    inode: int
    uid: int
    rqueue: int
    wqueue: int
    cgroup_id: int
    is_v6_only: bool
    counters: Counters | None


class SocketSnapshot(msgspec.Struct, frozen=True, gc=False):
    """What one dump of one namespace gave.

    Rows can be missed or seen twice while the kernel moves them; `is_complete` is false when the
    kernel said so on every try, and then a missing row does not mean a closed connection. Rows that
    could not be read are counted in `malformed`, and are missing: one that stays so must not keep
    every connection of its namespace open.

    `closes_heard`: the kernel tells of every close of this namespace, so that a row that is missing
    is a message on its way. `transitions_seen`: it tells of every connect and accept as well.
    """

    netns: int
    source: SocketSource
    taken_ns: int
    sockets: tuple[Socket, ...]
    is_complete: bool = True
    malformed: int = 0
    closes_heard: bool = False
    transitions_seen: bool = False
