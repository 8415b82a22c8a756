"""Community ID v1: a hash of the flow that other tools compute alike.

https://github.com/corelight/community-id-spec: seed, the lower endpoint, the higher endpoint,
protocol, a zero byte, and the ports in the same order.
"""

import binascii
import functools
import struct

from connbeat.model.digests import sha1

_TCP = 6
_SEED = b"\0\0"
_ports = struct.Struct("!BBHH").pack


# Both ends of a local connection ask within one poll, and every ongoing event asks again.
@functools.lru_cache(maxsize=4096)
def community_id(local_ip: bytes, local_port: int, remote_ip: bytes, remote_port: int) -> str:
    """`1:` and the Base64 of the SHA-1, for TCP with seed 0. Addresses packed."""
    if (remote_ip, remote_port) < (local_ip, local_port):
        return community_id(remote_ip, remote_port, local_ip, local_port)
    text = _SEED + local_ip + remote_ip + _ports(_TCP, 0, local_port, remote_port)
    return "1:" + binascii.b2a_base64(sha1(text), newline=False).decode("ascii")
