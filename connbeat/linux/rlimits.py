"""Rlimits: how many descriptors the process may have open (getrlimit(2))."""

import contextlib
import resource


def raise_descriptor_limit() -> None:
    """As many as may be had without a privilege. Never raises.

    The soft limit is 1024 for the sake of programs that use select(2); each network namespace
    takes a descriptor or two.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
