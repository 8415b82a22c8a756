"""What an engine says of a container, as a `Container`.

Three descriptions, from whole to poor: the answer of inspect, an item of the list, the attributes
of an event (all that is left of a container that was gone before it could be inspected).

Pure. The engine is trusted for nothing but JSON: a missing or odd value leaves its field empty;
only a description without an id is refused, with DiscoveryError.
"""

from collections.abc import Mapping
from typing import cast

from connbeat.errors import DiscoveryError
from connbeat.model.addresses import parse_ip
from connbeat.model.containers import Container, PortBinding

_SHARED_NETWORK = "container:"
_Json = Mapping[str, object]
_NOTHING: _Json = {}


def parse_container(raw: object) -> Container:
    """One answer of `GET /containers/{id}/json`. Raises DiscoveryError if it has no id."""
    answer = _mapping(raw)
    config = _mapping(answer.get("Config"))
    network = _mapping(answer.get("NetworkSettings"))
    state = _mapping(answer.get("State"))
    mode = _text(_mapping(answer.get("HostConfig")).get("NetworkMode"))
    # While it waits for its restart a container is "running", without a process.
    is_running = state.get("Running") is True and state.get("Restarting") is not True
    return Container(
        id=_id(answer),
        name=_text(answer.get("Name")).removeprefix("/"),
        image=_text(config.get("Image")) or _text(answer.get("Image")),
        runtime="docker",
        environ=tuple(entry for entry in _items(config.get("Env")) if isinstance(entry, str)),
        labels=_texts(config.get("Labels")),
        local_ips=_local_ips(network),
        ports=_ports(network.get("Ports")),
        is_host_network=mode == "host",
        shares_network_of=mode.partition(_SHARED_NETWORK)[2],
        init_pid=_pid(state.get("Pid")) if is_running else 0,
        is_running=is_running,
    )


def parse_listed(raw: object) -> Container:
    """One item of `GET /containers/json`. Raises DiscoveryError if it has no id.

    Knows neither environment nor process. Of several names the one without a second slash is the
    container's own; the others are those by which links call it.
    """
    item = _mapping(raw)
    names = [_text(name).removeprefix("/") for name in _items(item.get("Names"))]
    return Container(
        id=_id(item),
        name=next((name for name in names if name and "/" not in name), ""),
        image=_text(item.get("Image")),
        runtime="docker",
        labels=_texts(item.get("Labels")),
        local_ips=_local_ips(_mapping(item.get("NetworkSettings"))),
        is_running=item.get("State") in {"running", "paused"},
    )


def container_of_event(container_id: str, attributes: Mapping[str, str]) -> Container:
    """What an event tells of its container, which is taken not to run.

    The engine mixes the labels with its own attributes; what is neither name nor image is taken
    for a label.
    """
    labels = {key: value for key, value in attributes.items() if key not in _EVENT_ATTRIBUTES}
    return Container(
        id=container_id,
        name=attributes.get("name", "").removeprefix("/"),
        image=attributes.get("image", ""),
        runtime="docker",
        labels=labels,
        is_running=False,
    )


_EVENT_ATTRIBUTES = frozenset(
    {"name", "image", "oldName", "exitCode", "signal", "execDuration", "execID", "container"}
)


def _id(description: _Json) -> str:
    container_id = _text(description.get("Id"))
    if not container_id:
        raise DiscoveryError("the engine described a container without an id")
    return container_id


def _local_ips(network: _Json) -> tuple[str, ...]:
    """The addresses in every network, that of the gateway first: its address is published.

    The engine takes the network of the highest priority for the gateway and, of equal ones, the
    first by name. The address outside of `Networks` is that in the default bridge; engines since
    29 have it no more, some others have nothing else.
    """
    networks = [(name, _mapping(it)) for name, it in _mapping(network.get("Networks")).items()]
    networks.sort(key=lambda item: (-_priority(item[1]), item[0]))
    ips: dict[str, None] = {}
    for _, settings in [*networks, ("", network)]:
        for key in ("IPAddress", "GlobalIPv6Address"):
            text = _text(settings.get(key))
            if _is_ip(text):
                ips[text] = None
    return tuple(ips)


def _ports(raw: object) -> dict[str, tuple[PortBinding, ...]]:
    """`{"80/tcp": [{"HostIp": ..., "HostPort": ...}]}` by port alone, TCP only.

    A port that is exposed but not published stays, with no binding, as the original had it.
    """
    ports: dict[str, tuple[PortBinding, ...]] = {}
    for key, bindings in _mapping(raw).items():
        port, _, protocol = key.partition("/")
        if port.isdecimal() and protocol in {"tcp", ""}:
            ports[port] = tuple(
                PortBinding(_text(binding.get("HostIp")), _text(binding.get("HostPort")))
                for binding in map(_mapping, _items(bindings))
                if _text(binding.get("HostPort"))
            )
    return ports


def _priority(settings: _Json) -> int:
    priority = settings.get("GwPriority")
    return priority if isinstance(priority, int) else 0


def _pid(raw: object) -> int:
    return raw if isinstance(raw, int) and not isinstance(raw, bool) and raw > 0 else 0


def _is_ip(text: str) -> bool:
    try:
        parse_ip(text)
    except ValueError:
        return False
    return True


def _text(raw: object) -> str:
    return raw if isinstance(raw, str) else ""


def _items(raw: object) -> list[object]:
    return raw if isinstance(raw, list) else []


def _mapping(raw: object) -> _Json:
    # JSON has no other keys than strings.
    return cast("_Json", raw) if isinstance(raw, dict) else _NOTHING


def _texts(raw: object) -> dict[str, str]:
    return {key: value for key, value in _mapping(raw).items() if isinstance(value, str)}
