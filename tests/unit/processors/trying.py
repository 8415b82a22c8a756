"""What tests of processors have in common: a processor from YAML, and a world that is told."""

from collections.abc import Mapping
from typing import Any

from connbeat.config.document import parse_document
from connbeat.config.faults import Findings
from connbeat.config.kinds import Mismatch
from connbeat.config.processors.kind import Processors
from connbeat.model.documents import Document
from connbeat.processors.chain import compile_chain
from connbeat.processors.protocol import Facts, Names, Processor, ProcessorConfig, Step
from tests.deliveries import FakeClock

#: A document as the agent makes it, its parts shared with others.
EVENT: dict[str, Any] = {
    "@timestamp": "2026-11-23T10:00:02.123Z",
    "type": "connbeat",
    "beat": {"name": "h1", "local_ips": ["192.0.2.1"]},
    "local_ip": "172.18.0.3",
    "local_port": 45678,
    "remote_ip": "172.18.0.2",
    "remote_port": 80,
    "local_process": {"binary": "curl", "cmdline": "curl http://web/", "pid": 4711},
    "container": {"id": "c1", "labels": {"com.docker.compose.project": "shop"}},
}


class FakeNames:
    """Knows what it is told; remembers what it was asked."""

    def __init__(self, known: Mapping[str, str] = {}) -> None:
        self.known = dict(known)
        self.asked: list[str] = []

    def get(self, address: str) -> str | None:
        self.asked.append(address)
        return self.known.get(address)


class FakeServices:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.fake_names = FakeNames()
        self.known_facts: Mapping[str, Any] | None = None
        self.asked_for: list[ProcessorConfig] = []

    def names(self, config: ProcessorConfig) -> Names:
        self.asked_for.append(config)
        return self.fake_names

    def facts(self, config: ProcessorConfig) -> Facts:
        self.asked_for.append(config)
        return lambda: self.known_facts


class FakeAccounts:
    def __init__(self) -> None:
        self.failures: list[str] = []
        self.drops: list[str] = []

    def failed(self, label: str, error: Exception) -> None:
        self.failures.append(f"{label}: {error}")

    def filtered(self, label: str) -> None:
        self.drops.append(label)


def steps_of(yaml: str) -> tuple[Step, ...]:
    """The items of `processors:`, as they stand in a file."""
    findings = Findings()
    root = parse_document(f"processors:\n{yaml}", "f.yml", findings)
    findings.raise_faults()
    assert isinstance(root.value, dict)
    return Processors().parse(root.value["processors"])


def faults_of(yaml: str) -> dict[str, str]:
    """What is wrong with them, by place."""
    try:
        steps_of(yaml)
    except Mismatch as mismatch:
        return dict(mismatch.faults)
    return {}


class Trial:
    """A chain, and what became of the documents that went through it."""

    def __init__(self, yaml: str, services: FakeServices | None = None) -> None:
        self.services = services or FakeServices()
        self.accounts = FakeAccounts()
        self.run: Processor = compile_chain(steps_of(yaml), self.services, self.accounts)

    def __call__(self, document: Document = EVENT) -> Any:
        return self.run(document)


def tried(yaml: str, document: Document = EVENT) -> Any:
    """What comes of the document, where nothing fails."""
    trial = Trial(yaml)
    result = trial(document)
    assert trial.accounts.failures == []
    return result


def failure(yaml: str, document: Document = EVENT) -> str:
    """Why the one processor fails; the event goes on as it was."""
    trial = Trial(yaml)
    assert trial(document) == document
    (text,) = trial.accounts.failures
    return text.partition(": ")[2]


def without(document: Document, *names: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in names}
