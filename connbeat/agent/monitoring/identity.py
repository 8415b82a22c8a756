"""Identity: who the agent is for those that watch several. Blocks on the disk, once."""

import os
import uuid
from pathlib import Path

import msgspec

from connbeat.model.digests import sha1

_MACHINE_ID = Path("/etc/machine-id")
#: Of this program's names alone, so that the machine's own id cannot be told from ours.
_NAMESPACE = b"connbeat agent"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """`uuid` stays the same over restarts, `ephemeral_id` is of this run."""

    name: str
    hostname: str
    uuid: str
    ephemeral_id: str
    version: str


def identify(*, name: str, hostname: str, version: str, path_data: str) -> Identity:
    """The uuid is that of machine and data directory: nothing has to be kept for it."""
    try:
        machine = _MACHINE_ID.read_bytes().strip()
    except OSError:
        machine = b""
    data = Path(path_data).absolute()
    parts = (_NAMESPACE, machine or hostname.encode(), os.fsencode(data))
    return Identity(
        name=name,
        hostname=hostname,
        uuid=str(uuid.UUID(bytes=sha1(b"\0".join(parts))[:16], version=5)),
        ephemeral_id=str(uuid.UUID(bytes=os.urandom(16), version=4)),
        version=version,
    )
