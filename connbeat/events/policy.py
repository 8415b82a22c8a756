"""What documents tell beside what happened, and what they may show."""

from collections.abc import Mapping
from typing import Any

import msgspec


class DocumentPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are, what the user adds to every document, and what may be shown.

    `with_process_details`: also what only `schema: ecs` has a place for, `local_process.arguments`
    and `local_process.started_ticks`.
    """

    name: str
    hostname: str
    version: str
    tags: tuple[str, ...] = ()
    fields: Mapping[str, Any] = {}
    fields_under_root: bool = False
    expose_process_info: bool = True
    expose_cmdline: bool = True
    expose_environ: bool = False
    docker_environment: frozenset[str] = frozenset()
    redact: bool = True
    timestamp_digits: int = 3
    with_process_details: bool = False
