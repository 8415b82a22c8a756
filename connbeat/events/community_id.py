"""Community ID v1: a hash of the flow that other tools compute alike.

https://github.com/corelight/community-id-spec: seed, the lower endpoint, the higher endpoint,
protocol, a zero byte, and the ports in the same order.
"""

import base64
import functools
import hashlib
import struct

_TCP = 6


# Both ends of a local connection ask within one poll, and every ongoing event asks again.
@functools.lru_cache(maxsize=4096)
def community_id(local_ip: bytes, local_port: int, remote_ip: bytes, remote_port: int) -> str:
    """`1:` and the Base64 of the SHA-1, for TCP with seed 0. Addresses packed."""
    low, high = sorted(((local_ip, local_port), (remote_ip, remote_port)))
    text = struct.pack("!H", 0) + low[0] + high[0] + struct.pack("!BBHH", _TCP, 0, low[1], high[1])
    digest = hashlib.sha1(text, usedforsecurity=False).digest()
    return "1:" + base64.b64encode(digest).decode("ascii")
