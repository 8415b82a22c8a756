"""`connbeat test output` for Redis: what the events will need, tried without an event."""

from collections.abc import Callable, Iterator

import msgspec

from connbeat.errors import Transient
from connbeat.outputs.hosts import HostUrl
from connbeat.outputs.probing import Endpoint, probe
from connbeat.outputs.protocol import Check, Step
from connbeat.outputs.redis.commands import Refused
from connbeat.outputs.redis.config import RedisConfig
from connbeat.outputs.redis.connection import Connection
from connbeat.outputs.tls_policy import TlsPolicy


def check_host(
    url: HostUrl,
    config: RedisConfig,
    tls: TlsPolicy | None,
    connect: Callable[[HostUrl], Connection],
) -> Iterator[Check]:
    """All steps of one host. Never raises."""
    endpoint = Endpoint(host=url.host, port=url.port, seconds=config.timeout_seconds, tls=tls)
    for check in probe(endpoint):
        yield check
        if check.error:
            return
    try:
        connection = connect(url)
    except Transient as error:
        yield Check(step=Step.TALK, target=url.netloc, error=str(error))
        return
    try:
        yield Check(step=Step.TALK, target=url.netloc, detail=_version(connection))
        yield msgspec.structs.replace(_may_write(connection, config), target=url.netloc)
    finally:
        connection.close()


def _version(connection: Connection) -> str:
    replies, _ = connection.execute([("INFO", "server")])
    lines = str(replies[0], "utf-8", "replace").splitlines() if _is_bytes(replies) else []
    for line in lines:
        name, _, value = line.partition(":")
        if name == "redis_version":
            return f"Redis {value}"
    return "answers"


def _may_write(connection: Connection, config: RedisConfig) -> Check:
    """The command itself, in a transaction that is discarded: Redis judges it when it queues it."""
    key = config.key.constant
    if key is None:
        return Check(step=Step.WRITE, target="", detail="not tried: the key depends on the event")
    command = "PUBLISH" if config.datatype == "channel" else "RPUSH"
    replies, error = connection.execute([("MULTI",), (command, key, ""), ("DISCARD",)])
    if error is not None:
        return Check(step=Step.WRITE, target="", error=str(error))
    if isinstance(replies[0], Refused):
        return Check(step=Step.WRITE, target="", detail=f"not tried: {replies[0].text}")
    if isinstance(replies[1], Refused):
        return Check(step=Step.WRITE, target="", error=f"{command} {key}: {replies[1].text}")
    return _holds(connection, key) if command == "RPUSH" else _allowed(command, key)


def _holds(connection: Connection, key: str) -> Check:
    replies, _ = connection.execute([("TYPE", key)])
    kind = str(replies[0], "utf-8", "replace") if _is_bytes(replies) else "list"
    if kind not in ("list", "none"):
        return Check(step=Step.WRITE, target="", error=f"RPUSH {key}: the key holds a {kind}")
    return _allowed("RPUSH", key)


def _allowed(command: str, key: str) -> Check:
    return Check(step=Step.WRITE, target="", detail=f"{command} {key} is allowed")


def _is_bytes(replies: list[object]) -> bool:
    return bool(replies) and isinstance(replies[0], bytes)
