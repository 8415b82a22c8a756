"""The expanded tree against the table of options, to settings. Pure."""

from typing import Any

from connbeat.config.faults import Findings
from connbeat.config.hints import nearest_key
from connbeat.config.kinds import Mismatch, TextList
from connbeat.config.options import (
    BUILT_OUTPUTS,
    LATER_OUTPUTS,
    OPTIONS,
    SECTION_NAMES,
    SECTIONS,
    Option,
    Status,
    attribute_of,
    section_of,
)
from connbeat.config.schema import (
    ConnbeatConfig,
    LoggingConfig,
    OutputConsoleConfig,
    OutputFileConfig,
    PathConfig,
    QueueMemConfig,
    Settings,
)
from connbeat.config.tree import Node, Place, describe, find

_LATER_PREFIXES = tuple(f"output.{name}." for name in LATER_OUTPUTS)
_ABOVE_PROCFS = ("dump", "closes", "transitions", "nat")


def check(root: Node, findings: Findings, *, are_unknown_keys_faults: bool = True) -> Settings:
    """The settings. What is wrong goes to `findings`; its place is then taken by the default."""
    checker = _Checker(root, findings, are_unknown_keys_faults)
    checker.walk(root, "")
    checker.check_outputs()
    checker.check_capture()
    return checker.settings()


class _Checker:
    """Collects the value of every option that is set and right."""

    def __init__(self, root: Node, findings: Findings, are_unknown_keys_faults: bool) -> None:
        self._root = root
        self._findings = findings
        self._tell_unknown = findings.fault if are_unknown_keys_faults else findings.warn
        self._values: dict[str, dict[str, Any]] = {name: {} for name in ("", *SECTIONS)}

    def walk(self, node: Node, path: str) -> None:
        if path in OPTIONS:
            self._option(OPTIONS[path], node)
        elif path and path not in SECTION_NAMES:
            self._unknown(path, node)
        elif isinstance(node.value, dict):
            for key, child in node.value.items():
                self.walk(child, f"{path}.{key}" if path else key)
        elif node.value is not None:
            text = f"found {describe(node)}, expected a section with keys such as {_sample(path)}"
            self._findings.fault(node.place, path, text)

    def _unknown(self, path: str, node: Node) -> None:
        hint = nearest_key(path, (*OPTIONS, *SECTION_NAMES))
        text = f"unknown key, did you mean {hint}?" if hint else "unknown key"
        self._tell_unknown(node.place, path, text)

    def _option(self, option: Option, node: Node) -> None:
        if node.value is None or option.key.startswith(_LATER_PREFIXES):
            return
        if option.status is not Status.USED:
            self._not_used(option, node)
            return
        try:
            value = option.kind.parse(node)
        except Mismatch as mismatch:
            text = f"found {describe(node)}, expected {mismatch}"
            self._findings.fault(node.place, option.key, text)
            return
        if isinstance(option.kind, TextList) and node.is_scalar and not node.is_expanded:
            text = f"found {describe(node)}, taken as a list of one; [{node.text}] says it clearly"
            self._findings.warn(node.place, option.key, text)
        self._values[section_of(option)][attribute_of(option)] = value

    def _not_used(self, option: Option, node: Node) -> None:
        if node.value in (False, (), {}):
            return
        if option.status is Status.REFUSED:
            text = f"is not built yet in this version. {option.text}"
            self._findings.fault(node.place, option.key, text)
        elif option.status is Status.IGNORED:
            text = f"is not built yet in this version and changes nothing. {option.text}"
            self._findings.warn(node.place, option.key, text)
        else:
            self._findings.warn(node.place, option.key, f"has no meaning any more. {option.text}")

    # ------------------------------------------------------------------ outputs
    def check_outputs(self) -> None:
        """Turns the console on where no output is configured; refuses outputs of later versions."""
        configured = [name for name in (*BUILT_OUTPUTS, *LATER_OUTPUTS) if self._output(name)]
        for name in LATER_OUTPUTS:
            if self._is_on(name):
                key = f"output.{name}"
                text = f"is not built yet in this version; {key}.enabled: false would turn it off"
                self._findings.fault(self._place(key), key, text)
        if not configured:
            self._values["output.console"]["enabled"] = True
            return
        self._warn_of_empty_outputs()
        if self._is_on("file") and not self._values["output.file"].get("path"):
            self._check_file_path()
        if not any(map(self._is_on, configured)):
            text = "every output is off; output.console.enabled: true would turn one on"
            self._findings.fault(self._place("output"), "output", text)

    def _output(self, name: str) -> bool:
        node = find(self._root, f"output.{name}")
        return node is not None and isinstance(node.value, dict) and bool(node.value)

    def _is_on(self, name: str) -> bool:
        """Whether an output is configured and not switched off; in doubt it is."""
        enabled = find(self._root, f"output.{name}.enabled")
        if not self._output(name) or enabled is None or enabled.value is None:
            return self._output(name)
        try:
            return OPTIONS["output.console.enabled"].kind.parse(enabled) is True
        except Mismatch:
            return True

    def _check_file_path(self) -> None:
        node = find(self._root, "output.file.path")
        # A path of the wrong type, or one that could not be expanded, has been told already.
        if node is None or (node.value in (None, "") and not node.is_broken):
            text = "is missing, expected the directory of the files"
            self._findings.fault(self._place("output.file"), "output.file.path", text)

    def _warn_of_empty_outputs(self) -> None:
        for name in (*BUILT_OUTPUTS, *LATER_OUTPUTS):
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
            output_console=self._console(),
            output_file=self._file(),
            queue_mem=QueueMemConfig(**values["queue.mem"]),
            logging=LoggingConfig(**values["logging"]),
            path=PathConfig(**values["path"]),
        )

    def _console(self) -> OutputConsoleConfig | None:
        values = self._values["output.console"]
        is_on = values.pop("enabled", self._is_on("console"))
        return OutputConsoleConfig(**values) if is_on else None

    def _file(self) -> OutputFileConfig | None:
        values = self._values["output.file"]
        is_on = values.pop("enabled", self._is_on("file"))
        return OutputFileConfig(**{"path": "", **values}) if is_on else None


def _sample(section: str) -> str:
    return next(key for key in OPTIONS if key.startswith(f"{section}."))
