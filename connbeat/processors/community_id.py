"""community_id: the hash of the flow that other tools compute alike, of fields that you name."""

import functools
from typing import Any

from connbeat.model.addresses import parse_ip
from connbeat.model.community_id import TCP, seeded_community_id
from connbeat.model.documents import Document, field_getter
from connbeat.processors.fields import field_setter
from connbeat.processors.protocol import Processor, ProcessorConfig, Services

_PROTOCOLS = {"tcp": TCP, "udp": 17, "dccp": 33, "sctp": 132}
#: Where an event has no fields of ECS: the names of connbeat's own schema.
_OWN = ("local_ip", "local_port", "remote_ip", "remote_port")


class CommunityIdConfig(ProcessorConfig, frozen=True, kw_only=True):
    """The fields of ECS by default; where they are not there, connbeat's own."""

    fields_source_ip: str = "source.ip"
    fields_source_port: str = "source.port"
    fields_destination_ip: str = "destination.ip"
    fields_destination_port: str = "destination.port"
    fields_iana_number: str = "network.iana_number"
    fields_transport: str = "network.transport"
    target: str = "network.community_id"
    seed: int = 0


def build(config: CommunityIdConfig, _services: Services) -> Processor:
    names = (
        config.fields_source_ip,
        config.fields_source_port,
        config.fields_destination_ip,
        config.fields_destination_port,
    )
    ends = tuple(map(field_getter, names))
    own = tuple(map(field_getter, _OWN))
    number, transport = (
        field_getter(config.fields_iana_number),
        field_getter(config.fields_transport),
    )
    put, seed = field_setter(config.target), config.seed

    def add(document: Document) -> Document:
        """An event without the fields stays as it is."""
        flow = [get(document) for get in ends]
        if flow[0] is None:
            flow = [get(document) for get in own]
        one, other = _end(*flow[:2]), _end(*flow[2:])
        protocol = _protocol(number(document), transport(document))
        if one is None or other is None or protocol is None:
            return document
        return put(document, seeded_community_id(one, other, protocol, seed))

    return add


def _end(ip: Any, port: Any) -> tuple[bytes, int] | None:  # noqa: ANN401  whatever stands there
    packed = _packed(str(ip))
    try:
        number = int(port)
    except (ValueError, TypeError):
        return None
    return (packed, number) if packed and 0 <= number < 65536 else None


@functools.lru_cache(maxsize=1024)  # the same addresses again and again
def _packed(ip: str) -> bytes:
    """Nothing for what is no address."""
    try:
        return parse_ip(ip)
    except ValueError:
        return b""


def _protocol(number: Any, transport: Any) -> int | None:  # noqa: ANN401  whatever stands there
    """TCP where the event says nothing: everything that connbeat sees is."""
    if number is not None:
        return int(number) if str(number).isdecimal() and int(number) < 256 else None
    return TCP if transport is None else _PROTOCOLS.get(str(transport).lower())
