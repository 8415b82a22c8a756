"""The parts of a document in ECS that many documents share: agent and host, process, container.

Each is made from the part of `schema: connbeat` that tells the same, together with the rest of it
that has no name in ECS. Pure.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from connbeat.events.connection import Document

_NOT_EXPOSED = [""]
#: A colon before a slash is a port's, and `sha256:...` alone is the id of an image.
_IMAGE = re.compile(r"(?P<name>(?!sha256:).+?)(:(?P<tag>[^:/@]+))?(@(?P<digest>[^@]+))?", re.DOTALL)


class Part(msgspec.Struct, frozen=True):
    """`fields` go to the top of the document, `rest` goes below `connbeat.`.

    `origin` is what it was made from, `user` the name that goes to `related.user`, "" for none.
    """

    origin: Document
    fields: Document
    rest: Document
    user: str = ""


def agent_part(beat: Document, agent_id: str, ephemeral_id: str) -> Part:
    rest = beat.copy()
    name, hostname, version = rest.pop("name"), rest.pop("hostname"), rest.pop("version")
    fields: Document = {
        "agent": {
            "type": "connbeat",
            "name": name,
            "version": version,
            "id": agent_id,
            "ephemeral_id": ephemeral_id,
        },
        "host": {
            "name": name,
            "hostname": hostname,
            "ip": rest.pop("local_ips"),
            "os": {"type": "linux"},
        },
        "related": {"hosts": list(dict.fromkeys((name, hostname)))},
    }
    return Part(beat, fields, rest)


def process_part(process: Document, boot: str) -> Part:
    """`boot` makes the process unique between hosts and boots."""
    rest = process.copy()
    take = rest.pop
    command_line, environ = take("cmdline"), take("environ")
    pid = take("pid", None)
    if pid is None:  # `binary` says so, and names the inode
        return Part(process, {}, rest)
    ecs: Document = {"pid": pid, "name": take("binary")}
    if environ != _NOT_EXPOSED:
        ecs["env_vars"] = environ
    _add_command_line(ecs, command_line, take("arguments", None))
    ticks = take("started_ticks", None)
    if ticks is not None:
        ecs["entity_id"] = f"{boot}-{pid:x}-{ticks:x}"
    for name, ecs_name in (("executable", "executable"), ("started_at", "start")):
        if name in rest:
            ecs[ecs_name] = take(name)
    fields: Document = {"process": ecs}
    user = _user(rest)
    if user:
        fields["user"] = ecs["user"] = user
    return Part(process, fields, rest, user.get("name", ""))


def _add_command_line(process: Document, text: str, arguments: list[str] | None) -> None:
    if text:
        process["command_line"] = text
    if arguments:
        process["args"] = arguments
        process["args_count"] = len(arguments)


def _user(rest: Document) -> Document:
    """Takes from `rest` whose it is."""
    user: Document = {}
    if "uid" in rest:
        user["id"] = str(rest.pop("uid"))
    if "user" in rest:
        user["name"] = rest.pop("user")
    return user


def container_part(container: Document) -> Part:
    rest = container.copy()
    ecs: Document = {"id": rest.pop("id")}
    for name in ("name", "runtime", "labels"):
        if name in rest:
            ecs[name] = rest.pop(name)
    if "image" in rest:
        ecs["image"] = image(rest.pop("image"))
    return Part(container, {"container": ecs}, rest)


@functools.lru_cache(maxsize=256)
def image(text: str) -> Document:
    """`registry:5000/shop/web:2.1@sha256:...` taken apart; an image without a name is its id."""
    found = _IMAGE.fullmatch(text)
    if found is None:
        return {"name": text}
    parts: Document = {"name": found["name"]}
    if found["tag"]:
        parts["tag"] = [found["tag"]]
    if found["digest"]:
        parts["hash"] = {"all": [found["digest"]]}
    return parts


def orchestrator(kubernetes: Document) -> tuple[Document, Document]:
    """What manages the container, and the rest that stays below `connbeat.kubernetes`."""
    pod = kubernetes.get("pod", {})
    resource = {"type": "pod", "name": pod.get("name"), "id": pod.get("uid")}
    ecs: Document = {"type": "kubernetes", "namespace": kubernetes.get("namespace")}
    ecs["resource"] = {key: value for key, value in resource.items() if value is not None}
    rest = {key: kubernetes[key] for key in kubernetes if key not in ("pod", "namespace")}
    return {key: value for key, value in ecs.items() if value is not None}, rest


def labels(fields: Mapping[str, Any]) -> dict[str, str]:
    """The user's fields as ECS wants labels: one level, and every value a text."""
    found: dict[str, str] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping) and value:
            found |= {f"{name}.{key}": text for key, text in labels(value).items()}
        elif isinstance(value, str):
            found[name] = value
        elif value is not None:
            found[name] = msgspec.json.encode(value).decode()
    return found
