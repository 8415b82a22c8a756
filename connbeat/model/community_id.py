"""Community ID v1: a hash of the flow that other tools compute alike.

https://github.com/corelight/community-id-spec: seed, the lower endpoint, the higher endpoint,
protocol, a zero byte, and the ports in the same order.
"""

import binascii
import functools
import struct

from connbeat.model.digests import sha1

TCP = 6
_seed = struct.Struct("!H").pack
_ports = struct.Struct("!BBHH").pack


def community_id(local_ip: bytes, local_port: int, remote_ip: bytes, remote_port: int) -> str:
    """`1:` and the Base64 of the SHA-1, for TCP with seed 0. Addresses packed."""
    if remote_ip < local_ip or (remote_ip == local_ip and remote_port < local_port):
        return _of_flow(remote_ip, remote_port, local_ip, local_port)
    return _of_flow(local_ip, local_port, remote_ip, remote_port)


def seeded_community_id(
    one: tuple[bytes, int], other: tuple[bytes, int], protocol: int, seed: int
) -> str:
    """The same for any protocol with ports and any seed."""
    (low_ip, low_port), (high_ip, high_port) = min(one, other), max(one, other)
    return _hashed(_seed(seed) + low_ip + high_ip + _ports(protocol, 0, low_port, high_port))


# Both ends of a short local connection ask within one turn.
@functools.lru_cache(maxsize=1024)
def _of_flow(low_ip: bytes, low_port: int, high_ip: bytes, high_port: int) -> str:
    return _hashed(b"\0\0" + low_ip + high_ip + _ports(TCP, 0, low_port, high_port))


def _hashed(text: bytes) -> str:
    return "1:" + binascii.b2a_base64(sha1(text), newline=False).decode("ascii")
