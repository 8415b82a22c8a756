"""Processors: what each adds to an event, in this process."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.figures import Measurement
from bench.outputs import document
from bench.setup import Case, Setup
from connbeat.clock import Clock, SystemClock
from connbeat.config.document import parse_document
from connbeat.config.faults import Findings
from connbeat.config.processors.kind import Processors
from connbeat.processors.chain import compile_chain
from connbeat.processors.protocol import Facts, Names, Processor, ProcessorConfig

_COUNT = 4000
_REPEATS = 7
#: By row: the items of `processors:`. All of them do their work: no event is without the field.
_ROWS = {
    "drop_event, when equals does not fit": "- drop_event.when.equals.remote_port: 22",
    "drop_event, when network does not fit": "- drop_event.when.network.remote_ip: loopback",
    "if, then, else": "- {if: {equals.remote_port: 443}, then: [], else: [{drop_event: }]}",
    "drop_fields, two": "- drop_fields.fields: [local_process.environ, container.env]",
    "drop_fields, a pattern": r"- drop_fields.fields: ['/^container\.docker_host/']",
    "include_fields, four": (
        "- include_fields.fields: [local_ip, remote_ip, local_process.binary, connection.event]"
    ),
    "rename": "- rename.fields: [{from: local_ip, to: source.ip}]",
    "copy_fields": "- copy_fields.fields: [{from: container.name, to: service.name}]",
    "add_fields": "- add_fields.fields: {team: web}",
    "add_tags": "- add_tags.tags: [web]",
    "add_labels": "- add_labels.labels: {team: web}",
    "convert": "- convert.fields: [{from: remote_port, type: string}]",
    "replace": "- replace.fields: [{field: local_process.cmdline, pattern: v1, replacement: v2}]",
    "truncate_fields": "- truncate_fields: {fields: [local_process.cmdline], max_characters: 20}",
    "fingerprint, three": "- fingerprint.fields: [local_ip, remote_ip, remote_port]",
    "rate_limit": "- rate_limit.limit: 1000000000/s",
    "community_id": "- community_id: {seed: 1}",
    "dns, names known": "- dns.fields: {remote_ip: remote.domain}",
    "add_host_metadata": "- add_host_metadata: ~",
    "add_cloud_metadata": "- add_cloud_metadata: ~",
}
_TEN = (
    "drop_event, when equals does not fit",
    "drop_event, when network does not fit",
    "drop_fields, two",
    "rename",
    "copy_fields",
    "add_fields",
    "add_tags",
    "convert",
    "truncate_fields",
    "add_host_metadata",
)


def _run(_: Setup) -> Iterator[Measurement]:
    documents = [document(number) for number in range(_COUNT)]
    nothing = _cost("- drop_event.enabled: false", documents)
    yield Measurement("none", {"µs an event": nothing})
    ten = "\n".join(_ROWS[name] for name in _TEN)
    for row, steps in {**_ROWS, "ten of these": ten}.items():
        yield Measurement(row, {"µs an event": _cost(steps, documents) - nothing})


def _cost(steps: str, documents: Sequence[Mapping[str, Any]]) -> float:
    """CPU of this thread; the quickest of several, for whatever else runs only adds."""
    run = _chain(steps)
    return 1e6 * min(_timed(run, documents) for _ in range(_REPEATS)) / len(documents)


def _timed(run: Processor, documents: Sequence[Mapping[str, Any]]) -> float:
    start = time.thread_time()
    for one in documents:
        run(one)
    return time.thread_time() - start


def _chain(steps: str) -> Processor:
    findings = Findings()
    root = parse_document(f"processors:\n{steps}", "bench", findings)
    findings.raise_faults()
    assert isinstance(root.value, dict)
    return compile_chain(Processors().parse(root.value["processors"]), _World(), _World())


class _World:
    """The services of a chain, which know everything, and its accounts, which keep none."""

    clock: Clock = SystemClock()

    def names(self, _: ProcessorConfig) -> Names:
        return self

    def get(self, _: str) -> str:
        return "web.example"

    def facts(self, _: ProcessorConfig) -> Facts:
        known = {"id": "1", "name": "h1"}
        return lambda: known

    def failed(self, label: str, error: Exception) -> None:
        """Kept nowhere."""

    def filtered(self, label: str) -> None:
        """Kept nowhere."""


CASES = (Case("processors", "What a processor adds to an event", "ten in at most 15 µs", _run),)
