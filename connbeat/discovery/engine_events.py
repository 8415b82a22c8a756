"""What the engine's event stream says, reduced to what changes our picture of containers.

Pure. `EVENT_FILTERS` lets the engine leave out the rest at the source: on a busy host the events
of health checks (`exec_create` and on) are nearly all there are. Pausing changes nothing we know:
a paused container keeps its name, its namespace and its sockets.
"""

import enum
from collections.abc import Mapping

import msgspec


class EngineAction(enum.StrEnum):
    """The events we listen to; the values are the engine's words."""

    CREATE = "create"
    START = "start"
    DIE = "die"
    DESTROY = "destroy"
    RENAME = "rename"
    CONNECT = "connect"
    DISCONNECT = "disconnect"


_OF_NETWORK = frozenset({EngineAction.CONNECT, EngineAction.DISCONNECT})
_OF_CONTAINER = frozenset(EngineAction) - _OF_NETWORK

#: The filters of `GET /events`: what the engine is to send.
EVENT_FILTERS: dict[str, list[str]] = {
    "type": ["container", "network"],
    "event": [action.value for action in EngineAction],
}


class EngineEvent(msgspec.Struct, frozen=True, gc=False):
    """One event of one container. Of a network's event the attributes are left out."""

    action: EngineAction
    container_id: str
    attributes: Mapping[str, str] = {}


def parse_event(raw: object) -> EngineEvent | None:
    """One object of the stream; None if it is no event of a container's or malformed."""
    if not isinstance(raw, dict):
        return None
    actor = raw.get("Actor")
    kind, action = raw.get("Type"), raw.get("Action")
    if not isinstance(actor, dict) or not isinstance(action, str):
        return None
    attributes = _texts(actor.get("Attributes"))
    if kind == "network" and action in _OF_NETWORK:
        return _event(action, attributes.get("container"), {})
    if kind == "container" and action in _OF_CONTAINER:
        return _event(action, actor.get("ID"), attributes)
    return None


def _event(action: str, container_id: object, attributes: dict[str, str]) -> EngineEvent | None:
    if not isinstance(container_id, str) or not container_id:
        return None
    return EngineEvent(EngineAction(action), container_id, attributes)


def _texts(raw: object) -> dict[str, str]:
    if not isinstance(raw, dict):
        return {}
    return {
        key: value for key, value in raw.items() if isinstance(key, str) and isinstance(value, str)
    }
