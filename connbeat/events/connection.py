"""The document of a connection: its sections, in the order in which they are sent."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

Document = dict[str, Any]
#: A section that many documents share: as a mapping, or as the JSON it becomes.
Part = Document | msgspec.Raw


class ConnectionPart(msgspec.Struct, gc=False):
    """`connection`. What is unset is not there."""

    id: str
    event: str
    direction: str
    direction_source: str
    state: str
    netns: int
    opened_at: str | UnsetType = UNSET
    closed_at: str | UnsetType = UNSET
    duration_ms: float | UnsetType = UNSET
    bytes_sent: int | UnsetType = UNSET
    bytes_received: int | UnsetType = UNSET
    retransmits: int | UnsetType = UNSET
    rtt_ms: float | UnsetType = UNSET
    summarised: Document | UnsetType = UNSET
    failure: str | UnsetType = UNSET
    interface: int | UnsetType = UNSET


class ConnectionDocument(msgspec.Struct, gc=False, rename={"timestamp": "@timestamp"}):
    """The whole. It is encoded as it stands where nothing else wants to look into it."""

    timestamp: str
    type: str
    beat: Part
    local_ip: str
    local_port: int
    remote_ip: str
    remote_port: int
    local_process: Part
    connection: ConnectionPart
    remote_process: Part | UnsetType
    remote_container: Part | UnsetType
    nat: Document | UnsetType
    network: Document
    container: Part | UnsetType
    kubernetes: Part | UnsetType
    tags: list[str] | UnsetType = UNSET
    fields: Document | UnsetType = UNSET


def as_mapping(document: ConnectionDocument) -> Document:
    """The same as a mapping, for who asks by name and changes; what is shared is not copied."""
    made: Document = {
        "@timestamp": document.timestamp,
        "type": document.type,
        "beat": document.beat,
        "local_ip": document.local_ip,
        "local_port": document.local_port,
        "remote_ip": document.remote_ip,
        "remote_port": document.remote_port,
        "local_process": document.local_process,
        "connection": msgspec.to_builtins(document.connection),
    }
    if document.remote_process is not UNSET:
        made["remote_process"] = document.remote_process
    if document.remote_container is not UNSET:
        made["remote_container"] = document.remote_container
    if document.nat is not UNSET:
        made["nat"] = document.nat
    made["network"] = document.network
    if document.container is not UNSET:
        made["container"] = document.container
    if document.kubernetes is not UNSET:
        made["kubernetes"] = document.kubernetes
    if document.tags is not UNSET:
        made["tags"] = document.tags
    if document.fields is not UNSET:
        made["fields"] = document.fields
    return made
