"""Reload: what a changed configuration means for an agent that runs. Pure.

`LIVE` is the table of what can change under way, by option, and which part of the agent has to be
told. What is not in it needs a restart: that is the safe answer for an option nobody thought of.
"""

import enum
from collections.abc import Mapping

import msgspec

from connbeat.config.changes import changed_options, with_changes
from connbeat.config.schema import Settings


class Part(enum.Enum):
    """Who has to be told of a change. `agent.reloader` has a method for each."""

    LOG = "the log"
    SUPERVISOR = "the main thread, which reads its settings each time"
    DOCUMENTS = "what documents say and show"
    PROCESSORS = "what becomes of documents before they are sent"
    REPORTS = "which connections are reported, and how often"
    POLLS = "how often the sockets are looked at"
    OUTPUTS = "outputs: a new one takes the old one's place between two batches"


#: By option, or by section with a dot at its end. The first that fits counts.
LIVE: Mapping[str, Part] = {
    "name": Part.DOCUMENTS,
    "tags": Part.DOCUMENTS,
    "fields": Part.DOCUMENTS,
    "fields_under_root": Part.DOCUMENTS,
    "processors": Part.PROCESSORS,
    "shutdown_timeout": Part.SUPERVISOR,
    "connbeat.expose_process_info": Part.DOCUMENTS,
    "connbeat.expose_cmdline": Part.DOCUMENTS,
    "connbeat.docker_environment": Part.DOCUMENTS,
    "connbeat.redact": Part.DOCUMENTS,
    "connbeat.aggregation": Part.REPORTS,
    "connbeat.aggregation_rules": Part.REPORTS,
    "connbeat.enable_local_connections": Part.REPORTS,
    "connbeat.report_self": Part.REPORTS,
    "connbeat.max_connections": Part.REPORTS,
    "connbeat.poll_interval": Part.POLLS,
    "logging.metrics.": Part.SUPERVISOR,
    "logging.": Part.LOG,
    "queue.mem.flush.": Part.OUTPUTS,
    "output.": Part.OUTPUTS,
}
#: What of an output its worker does; anything else is done by a new one.
_WORKERS = ("when", "max_retries", "backoff.init", "backoff.max", "bulk_max_size")
_NEEDS_NEW_BATCHES = {"logstash", "kafka"}  # their clients know `bulk_max_size`, too


class Plan(msgspec.Struct, frozen=True):
    """`settings` are those in force afterwards: `restart` keeps its old values."""

    settings: Settings
    live: Mapping[Part, tuple[str, ...]]
    restart: tuple[str, ...]

    @property
    def new_outputs(self) -> frozenset[str]:
        """The outputs that have to be made anew, by name."""
        keys = [key for key in self.live.get(Part.OUTPUTS, ()) if key.startswith("output.")]
        return frozenset(key.split(".")[1] for key in keys if _is_the_clients(key))

    def touches_output(self, name: str) -> bool:
        """Whether its worker has anything to learn."""
        keys = self.live.get(Part.OUTPUTS, ())
        return any(key.startswith((f"output.{name}.", "queue.")) for key in keys)


def plan(old: Settings, new: Settings) -> Plan:
    """How to come from `old`, which is in force, to `new` as far as that goes."""
    live: dict[Part, tuple[str, ...]] = {}
    restart: list[str] = []
    for key in changed_options(old, new):
        part = _part_of(key)
        if part is None:
            restart.append(key)
        else:
            live[part] = (*live.get(part, ()), key)
    keys = [key for some in live.values() for key in some]
    return Plan(with_changes(old, new, keys), live, tuple(restart))


def _part_of(key: str) -> Part | None:
    if key.startswith("output.") and key.count(".") == 2 and key.endswith(".enabled"):
        return None  # queues have a place for each output, made at the start
    for pattern, part in LIVE.items():
        if key == pattern or (pattern.endswith(".") and key.startswith(pattern)):
            return part
    return None


def _is_the_clients(key: str) -> bool:
    _, output, option = key.split(".", 2)
    return option not in _WORKERS or (option == "bulk_max_size" and output in _NEEDS_NEW_BATCHES)
