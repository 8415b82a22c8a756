"""The user's own lifecycle policy, from its file."""

from pathlib import Path
from typing import Any

import msgspec

from connbeat.errors import Permanent


def read_policy(path: Path) -> dict[str, Any]:
    """A lifecycle policy as `PUT _ilm/policy` takes it. Raises Permanent."""
    try:
        policy = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise Permanent(f"setup.ilm.policy_file: {path}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise Permanent(f"setup.ilm.policy_file: {path}: {error}") from error
    if not isinstance(policy, dict) or "policy" not in policy:
        raise Permanent(f'setup.ilm.policy_file: {path}: expected {{"policy": ...}}')
    return policy
