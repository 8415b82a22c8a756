"""The sections of documents that tell of both ends and of us, as mappings or encoded already."""

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from connbeat.events.connection import Document, Part
from connbeat.events.local_ips import LocalIps
from connbeat.events.parties import PartyParts, identity, pod_of
from connbeat.events.policy import DocumentPolicy
from connbeat.model.connections import ConnectionReport, Party, RemoteParty, Report
from connbeat.model.containers import DockerHost
from connbeat.model.processes import Process

#: Ends whose sections are kept encoded, before all are let go of.
_MAX_ENDS = 1024

_K = TypeVar("_K")
_V = TypeVar("_V")
_P = TypeVar("_P", bound=Part | UnsetType)


class Near(msgspec.Struct, gc=False):
    """An end's own side, and the agent that saw it."""

    party: Party
    beat: Part
    process: Part
    container: Part | UnsetType
    kubernetes: Part | UnsetType


class Far(msgspec.Struct, gc=False):
    """The other side, as far as that is on this host."""

    party: RemoteParty | None
    process: Part | UnsetType
    container: Part | UnsetType


_NOBODY = Far(None, UNSET, UNSET)


class Ends:
    """Made once for all documents of a poll that have them alike. One thread uses it."""

    def __init__(self, format_time: Callable[[int], str]) -> None:
        self._local_ips = LocalIps()
        self._parties = PartyParts(self._local_ips, format_time)
        self._host_netns = 0
        self._encode = msgspec.json.Encoder().encode
        # By the `id` of a party, which stands in the value, too, lest that be another's.
        self._nears: dict[tuple[int, bytes, int], Near] = {}
        self._encoded_nears: dict[tuple[int, bytes, int], Near] = {}
        self._fars: dict[tuple[int, int], Far] = {}
        self._json_by_id: dict[int, tuple[object, msgspec.Raw]] = {}

    def set_policy(self, policy: DocumentPolicy) -> None:
        """From the next poll on."""
        self._shows_processes = policy.expose_process_info
        self._parties.set_policy(policy)
        self._beat: Document = {
            "name": policy.name,
            "hostname": policy.hostname,
            "version": policy.version,
            "local_ips": self._local_ips.of(""),
        }

    def set_docker_host(self, docker_host: DockerHost) -> None:
        """From any thread."""
        self._parties.set_docker_host(docker_host)

    def begin(self, host_netns: int, now_ns: int) -> None:
        """A new poll."""
        self._host_netns = host_netns
        self._local_ips.expire(now_ns)
        self._parties.begin()
        self._forget_nears()
        self._fars.clear()

    def near(self, report: ConnectionReport) -> Near:
        """Where a process is known, it is one for all documents of that process and address."""
        party = report.local
        key = id(party), report.local_ip, report.netns
        near = self._nears.get(key)
        if near is None:
            near = self.near_of(report, report.local_ip, report.inode)
            if isinstance(party.owner, Process) and self._shows_processes:
                _keep(self._nears, key, near)
        return near

    def near_of(self, report: Report, ip: bytes, inode: int) -> Near:
        """`ip` is the address of this end: one more of whose it is."""
        party = report.local
        self._note(report, ip)
        container: Part | UnsetType = UNSET
        pod: Part | UnsetType = UNSET
        if party.container is not None:
            container = self._parties.container(party.container)
            pod = pod_of(party.container.labels) or UNSET
        process = self._parties.process(party.owner, inode)
        return Near(party, self._beat_now(), process, container, pod)

    def far(self, party: RemoteParty | None) -> Far:
        if party is None:
            return _NOBODY
        process, container = party.process, party.container
        told: Part | UnsetType = UNSET
        if process is not None and self._shows_processes:
            told = {"binary": process.binary, "pid": process.pid}
        return Far(party, told, identity(container) if container is not None else UNSET)

    def encoded_near(self, report: ConnectionReport) -> Near:
        """The same encoded, if a known process is there: of others each document has its own."""
        party = report.local
        key = id(party), report.local_ip, report.netns
        near = self._encoded_nears.get(key)
        if near is None:
            near = self.near(report)
            if key in self._nears:
                near = Near(
                    party,
                    self._json_of_shared(near.beat),
                    self._json_of_shared(near.process),
                    self._json_of_shared(near.container),
                    self._json(near.kubernetes),
                )
                _keep(self._encoded_nears, key, near)
        return near

    def encoded_far(self, party: RemoteParty | None) -> Far:
        """The same encoded."""
        if party is None:
            return _NOBODY
        key = id(party.process), id(party.container)
        far = self._fars.get(key)
        if far is None:
            far = self.far(party)
            far.process, far.container = self._json(far.process), self._json(far.container)
            _keep(self._fars, key, far)
        return far

    def describe(self, party: Party) -> Document:
        """Its process, or why there is none, and its container."""
        document: Document = {"local_process": self._parties.process(party.owner, 0)}
        if party.container is not None:
            document["container"] = self._parties.container(party.container)
        return document

    def _note(self, report: Report, ip: bytes) -> None:
        container = report.local.container
        if container is not None:
            is_new = self._local_ips.add(container.id, ip, report.reported_ns)
        elif report.netns == self._host_netns:
            is_new = self._local_ips.add("", ip, report.reported_ns)
        else:
            return
        if is_new:
            self._forget_nears()

    def _forget_nears(self) -> None:
        self._nears.clear()
        self._encoded_nears.clear()
        self._json_by_id.clear()

    def _beat_now(self) -> Document:
        """One mapping for all documents until another address of the host is seen."""
        local_ips = self._local_ips.of("")
        if self._beat["local_ips"] is not local_ips:
            self._beat = {**self._beat, "local_ips": local_ips}
        return self._beat

    def _json_of_shared(self, part: _P) -> _P | msgspec.Raw:
        """One for all ends that have this very part: with 256 addresses `beat` has 4 kB."""
        known = self._json_by_id.get(id(part))
        if known is not None:
            return known[1]
        made = self._json(part)
        if isinstance(made, msgspec.Raw):
            _keep(self._json_by_id, id(part), (part, made))
        return made

    def _json(self, part: _P) -> _P | msgspec.Raw:
        return part if part is UNSET else msgspec.Raw(self._encode(part))


def _keep(known: dict[_K, _V], key: _K, value: _V) -> None:
    if len(known) >= _MAX_ENDS:
        known.clear()
    known[key] = value
