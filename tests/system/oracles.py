"""Other people's view of a namespace's TCP sockets, to hold ours against: `ss`, and pyroute2.

As a program (`python -m tests.system.oracles`) it prints what pyroute2 sees in the namespace that
it runs in. pyroute2's known defects do not touch what is compared: a refused request is silently
empty (so: nothing seen is an error here), and the bit fields of `tcp_info` are decoded wrongly.
"""

import json
import re
import socket
import sys
from typing import Any

import msgspec
from pyroute2.netlink.diag import (  # type: ignore[import-untyped]  # it has no annotations
    DiagSocket,
    MarshalDiag,
)

from tests.golden import Info, Row
from tests.system.harness import Netns, call

#: What include/net/tcp_states.h numbers, as `ss` writes it.
SS_STATES = {
    "ESTAB": 1,
    "SYN-SENT": 2,
    "SYN-RECV": 3,
    "FIN-WAIT-1": 4,
    "FIN-WAIT-2": 5,
    "TIME-WAIT": 6,
    "CLOSE-WAIT": 8,
    "LAST-ACK": 9,
    "LISTEN": 10,
    "CLOSING": 11,
}


# ss


def seen_by_ss(netns: Netns) -> list[Row]:
    text = call("ip", "netns", "exec", netns.name, "ss", "-tanOHie")
    return [_parse_ss(line) for line in text.splitlines()]


def _parse_ss(line: str) -> Row:
    state, rqueue, wqueue, local, remote, *_ = line.split()
    family, local_ip, interface, local_port = _parse_ss_address(local)
    _, remote_ip, _, remote_port = _parse_ss_address(remote)

    def number(pattern: str, base: int = 10) -> int:
        match = re.search(rf" {pattern}", line)
        return int(match[1], base) if match else 0

    rtt = re.search(r" rtt:([\d.]+)/", line)
    return Row(
        family=family,
        state=SS_STATES[state],
        local=local_ip,
        local_port=local_port,
        remote=remote_ip,
        remote_port=remote_port,
        interface=interface,
        cookie=number("sk:([0-9a-f]+)", 16),
        inode=number(r"ino:(\d+)"),
        uid=number(r"uid:(\d+)"),
        rqueue=int(rqueue),
        wqueue=int(wqueue),
        is_v6_only=bool(number(r"v6only:(\d)")),
        cgroup_id=0,
        info=Info(
            rtt=round(float(rtt[1]) * 1000) if rtt else 0,
            total_retrans=number(r"retrans:\d+/(\d+)"),
            bytes_acked=number(r"bytes_acked:(\d+)"),
            bytes_received=number(r"bytes_received:(\d+)"),
            bytes_sent=number(r"bytes_sent:(\d+)"),
            bytes_retrans=number(r"bytes_retrans:(\d+)"),
            notsent_bytes=number(r"notsent:(\d+)"),
        ),
    )


def _parse_ss_address(text: str) -> tuple[int, str, int, int]:
    """Family, address, interface and port of `127.0.0.1%lo:80`, `[::1]:80`, `*:80` or `0.0.0.0:*`.

    `*` stands for `::` of a socket that takes IPv4 as well.
    """
    host, _, port = text.rpartition(":")
    host, _, interface = host.partition("%")
    is_v6 = host == "*" or host.startswith("[")
    return (
        socket.AF_INET6 if is_v6 else socket.AF_INET,
        "::" if host == "*" else host.strip("[]"),
        1 if interface == "lo" else 0,
        0 if port == "*" else int(port),
    )


# pyroute2


def decode_with_pyroute2(datagrams: list[bytes]) -> list[Row]:
    """What pyroute2 makes of the kernel's answer."""
    messages: list[Any] = [m for data in datagrams for m in MarshalDiag().parse(data)]
    return [_from_pyroute2(message) for message in messages if message["header"]["type"] != 3]


def seen_by_pyroute2(netns: Netns) -> list[Row]:
    text = call("ip", "netns", "exec", netns.name, sys.executable, "-m", "tests.system.oracles")
    return msgspec.json.decode(text, type=list[Row])


def _from_pyroute2(message: Any) -> Row:
    info = message.get_attr("INET_DIAG_INFO")
    return Row(
        family=message["idiag_family"],
        state=message["idiag_state"],
        local=message["idiag_src"],
        local_port=message["idiag_sport"],
        remote=message["idiag_dst"],
        remote_port=message["idiag_dport"],
        interface=message["idiag_if"],
        cookie=message["idiag_cookie"],
        inode=message["idiag_inode"],
        uid=message["idiag_uid"],
        rqueue=message["idiag_rqueue"],
        wqueue=message["idiag_wqueue"],
        is_v6_only=bool(message.get_attr("INET_DIAG_SKV6ONLY")),
        cgroup_id=message.get_attr("INET_DIAG_CGROUP_ID") or 0,
        info=None
        if info is None
        else Info(**{name: info[f"tcpi_{name}"] for name in Info.__struct_fields__}),
    )


def main() -> None:
    seen: list[Row] = []
    with DiagSocket() as diag:
        diag.bind()
        for family in (socket.AF_INET, socket.AF_INET6):
            rows = diag.get_sock_stats(family=family, extensions=1 << 1)
            seen += [_from_pyroute2(row) for row in rows]
    sys.stdout.write(json.dumps(msgspec.to_builtins(seen)))


if __name__ == "__main__":
    main()
