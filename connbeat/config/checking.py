"""The expanded tree against the table of options, to settings. Pure."""

from typing import Any

from connbeat.config.faults import Findings
from connbeat.config.hints import nearest_key
from connbeat.config.kinds import Boolean, Mismatch, TextList
from connbeat.config.masking import describe
from connbeat.config.mismatches import faults_of, without_secrets
from connbeat.config.option import Option, Status
from connbeat.config.options import (
    BUILT_OUTPUTS,
    OPTIONS,
    SECTION_NAMES,
    SECTIONS,
    attribute_of,
    section_of,
)
from connbeat.config.outputs.registry import OUTPUTS
from connbeat.config.schema import (
    ConnbeatConfig,
    DeadLetterConfig,
    HttpConfig,
    KeystoreConfig,
    LogFilesConfig,
    LoggingConfig,
    PathConfig,
    QueueDiskConfig,
    QueueMemConfig,
    Settings,
    SummariseConfig,
)
from connbeat.config.tree import Node, Place, below, find, nearest
from connbeat.outputs.configuration import OutputConfig
from connbeat.outputs.tls_policy import TlsPolicy

_ABOVE_PROCFS = ("dump", "closes", "transitions", "nat")


def check(root: Node, findings: Findings, *, are_unknown_keys_faults: bool = True) -> Settings:
    """The settings. What is wrong goes to `findings`; its place is then taken by the default."""
    checker = _Checker(root, findings, are_unknown_keys_faults)
    checker.walk(root, "")
    checker.check_outputs()
    checker.check_capture()
    checker.check_queue()
    checker.check_logging()
    return checker.settings()


class _Checker:
    """Collects the value of every option that is set and right."""

    def __init__(self, root: Node, findings: Findings, are_unknown_keys_faults: bool) -> None:
        self._root = root
        self._findings = findings
        self._tell_unknown = findings.fault if are_unknown_keys_faults else findings.warn
        self._wrong: set[str] = set()  # the keys whose values are nothing of their kind
        self._values: dict[str, dict[str, Any]] = {name: {} for name in ("", *SECTIONS)}

    def walk(self, node: Node, path: str) -> None:
        if path in OPTIONS:
            self._option(OPTIONS[path], node)
        elif path and path not in SECTION_NAMES:
            self._unknown(path, node)
        elif isinstance(node.value, dict):
            for key, child in node.value.items():
                self.walk(child, below(path, key))
        elif node.value is not None:
            # Not what it says: `password=hunter2`, where the colon is missing, is a text.
            found = "a text" if isinstance(node.value, str) else describe(node, path)
            text = f"found {found}, expected a section with keys such as {_sample(path)}"
            self._findings.fault(node.place, path, text)

    def _unknown(self, path: str, node: Node) -> None:
        hint = nearest_key(path, (*OPTIONS, *SECTION_NAMES))
        text = f"unknown key, did you mean {hint}?" if hint else "unknown key"
        self._tell_unknown(node.place, path, text)

    def _option(self, option: Option, node: Node) -> None:
        if node.value is None:
            return
        if option.status is Status.ALIAS:
            self._alias(option, node)
        elif option.status is not Status.USED:
            self._not_used(option, node)
        else:
            self._used(option, node, option.key)

    def _alias(self, option: Option, node: Node) -> None:
        meant = find(self._root, option.stands_for)
        if meant is not None and meant.value is not None:
            text = f"found beside {option.stands_for}, expected only one of the two"
            self._findings.fault(node.place, option.key, text)
            return
        self._used(OPTIONS[option.stands_for], node, option.key)

    def _used(self, option: Option, node: Node, key: str) -> None:
        try:
            value = option.kind.parse(node)
        except Mismatch as mismatch:
            # What the kind says of a secret may quote it.
            told = Mismatch(f"a {option.kind.name}") if node.is_secret else mismatch
            self._mismatch(key, node, told)
            return
        if isinstance(option.kind, TextList) and node.is_scalar and not node.is_expanded:
            text = f"found {describe(node, key)}, taken as a list of one; [...] around it says so"
            self._findings.warn(node.place, key, text)
        self._values[section_of(option)][attribute_of(option)] = value

    def _mismatch(self, key: str, node: Node, mismatch: Mismatch) -> None:
        self._wrong.add(key)
        for path, text in faults_of(mismatch, node, key):
            whole = below(key, path) if path else key
            self._findings.fault(nearest(node, path).place, whole, text)

    def _not_used(self, option: Option, node: Node) -> None:
        if node.value in (False, (), {}) or self._is_of_an_output_that_is_off(option):
            return
        if option.status is Status.REFUSED:
            text = f"is not built yet in this version. {option.text}"
            self._findings.fault(node.place, option.key, text)
        else:
            self._findings.warn(node.place, option.key, f"has no meaning any more. {option.text}")

    # ------------------------------------------------------------------ outputs
    def check_outputs(self) -> None:
        """Turns the console on where no output is configured."""
        configured = [name for name in BUILT_OUTPUTS if self._output(name)]
        if not configured:
            self._values["output.console"]["enabled"] = True
            return
        self._warn_of_empty_outputs()
        self._check_required()
        if not any(map(self._is_on, configured)):
            text = "every output is off; output.console.enabled: true would turn one on"
            self._findings.fault(self._place("output"), "output", text)

    def _output(self, name: str) -> bool:
        node = find(self._root, f"output.{name}")
        return node is not None and isinstance(node.value, dict) and bool(node.value)

    def _is_on(self, name: str) -> bool:
        """Whether an output is configured and not switched off; in doubt it is."""
        return self._output(name) and self._is_enabled(f"output.{name}")

    def _is_enabled(self, section: str) -> bool:
        enabled = find(self._root, f"{section}.enabled")
        if enabled is None or enabled.value is None:
            return True
        try:
            return Boolean().parse(enabled)
        except Mismatch:
            return True

    def _is_of_an_output_that_is_off(self, option: Option) -> bool:
        group, name, *_ = (*option.key.split("."), "")
        return group == "output" and not self._is_on(name)

    def _check_required(self) -> None:
        for option in OPTIONS.values():
            section = section_of(option)
            if not option.required or not self._is_on(section.removeprefix("output.")):
                continue
            node = find(self._root, option.key)
            # A value of the wrong type, or that could not be expanded, has been told already.
            if node is None or (node.value in (None, "") and not node.is_broken):
                text = f"is missing, expected {option.required}"
                self._findings.fault(self._place(section), option.key, text)

    def _warn_of_empty_outputs(self) -> None:
        for name in BUILT_OUTPUTS:
            node = find(self._root, f"output.{name}")
            if node is not None and node.value in (None, {}):
                key = f"output.{name}"
                text = f"the section is empty, so it is off; {key}.enabled: true turns it on"
                self._findings.warn(node.place, key, text)

    # ------------------------------------------------------------------ capture
    def check_capture(self) -> None:
        """The old switch and the new word must not contradict each other."""
        values = self._values["connbeat"]
        capture, switch = values.get("capture"), values.get("enable_tcp_diag")
        if (switch is False and capture in _ABOVE_PROCFS) or (switch and capture == "procfs"):
            text = (
                f"found {capture!r}, but connbeat.enable_tcp_diag is {str(switch).lower()};"
                " expected only one of the two"
            )
            self._findings.fault(self._place("connbeat.capture"), "connbeat.capture", text)

    # ------------------------------------------------------------------ queue
    def check_queue(self) -> None:
        """Turns the disk on where it is configured; there is one queue, in memory or on disk."""
        values = self._values["queue.disk"]
        node = find(self._root, "queue.disk")
        values.setdefault("enabled", node is not None and node.value not in (None, {}))
        if values["enabled"] and self._values["queue.mem"]:
            text = "found beside queue.mem, expected only one of the two"
            self._findings.fault(self._place("queue.disk"), "queue.disk", text)
        disk = QueueDiskConfig(**values)
        if disk.retry_interval_seconds > disk.max_retry_interval_seconds:
            key = "queue.disk.max_retry_interval"
            text = f"found {disk.max_retry_interval_seconds:g}s, expected at least retry_interval"
            self._findings.fault(self._place(key), key, text)

    # ------------------------------------------------------------------ logging
    def check_logging(self) -> None:
        """Turns files on where they are configured."""
        if self._values["logging.files"]:
            self._values["logging"].setdefault("to_files", True)

    def _place(self, key: str) -> Place:
        node = find(self._root, key)
        return self._root.place if node is None else node.place

    # ------------------------------------------------------------------ settings
    def settings(self) -> Settings:
        """Whatever is in `findings`, the result is whole: callers look there first."""
        values = self._values
        return Settings(
            **values[""],
            connbeat=ConnbeatConfig(**values["connbeat"]),
            connbeat_summarise=SummariseConfig(**values["connbeat.summarise"]),
            outputs=self._outputs(),
            dead_letter=DeadLetterConfig(**values["dead_letter"]),
            queue_mem=QueueMemConfig(**values["queue.mem"]),
            queue_disk=QueueDiskConfig(**values["queue.disk"]),
            logging=LoggingConfig(**values["logging"]),
            logging_files=LogFilesConfig(**values["logging.files"]),
            http=HttpConfig(**values["http"]),
            path=PathConfig(**values["path"]),
            keystore=KeystoreConfig(**values["keystore"]),
        )

    def _outputs(self) -> dict[str, OutputConfig]:
        """Those that are on; what their own values contradict is told here."""
        outputs: dict[str, OutputConfig] = {}
        for name, (config, _) in OUTPUTS.items():
            section = f"output.{name}"
            values = dict(self._values[section])
            if not values.pop("enabled", self._is_on(name)):
                continue
            outputs[name] = built = config(**self._with_tls(section, values))
            for key, text in built.problems():
                self._problem(section, key, text)
        return outputs

    def _problem(self, section: str, key: str, text: str) -> None:
        whole = f"{section}.{key}"
        if whole in self._wrong:  # its value is the default's, and that it is wrong has been told
            return
        node = find(self._root, whole)
        if node is None:
            self._findings.fault(self._place(section), whole, text)
        else:
            self._findings.fault(node.place, whole, without_secrets(text, node))

    def _with_tls(self, section: str, values: dict[str, Any]) -> dict[str, Any]:
        tls = dict(self._values.get(f"{section}.ssl", ()))
        if tls and tls.pop("enabled", True):
            values["ssl"] = TlsPolicy(**tls)
        return values


def _sample(section: str) -> str:
    return next(key for key in OPTIONS if key.startswith(f"{section}."))
