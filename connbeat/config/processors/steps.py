"""A list of processors and of `if`, `then`, `else` to steps. Pure."""

from collections.abc import Mapping
from typing import Any, cast

from connbeat.config.hints import nearest_key
from connbeat.config.masking import describe
from connbeat.config.processors.declared import COMMON, Declared
from connbeat.config.processors.registry import ELSEWHERE, PROCESSORS
from connbeat.config.processors.sections import Faults, SectionReader
from connbeat.config.tree import Node, below, children, to_plain
from connbeat.model.conditions import ConditionError, parse_condition
from connbeat.processors.protocol import Action, Branch, ProcessorConfig, Step


class StepReader:
    """Goes through the list once and notes what is wrong."""

    def __init__(self) -> None:
        self.faults: Faults = []
        self.count = 0

    def steps(self, node: Node, path: str) -> tuple[Step, ...]:
        if isinstance(node.value, tuple):
            found = [self._step(child, below(path, n)) for n, child in enumerate(node.value)]
            return tuple(step for step in found if step is not None)
        step = self._step(node, path)
        return () if step is None else (step,)

    def _step(self, node: Node, path: str) -> Step | None:
        self.count += 1
        if node.is_broken:
            return None
        if not isinstance(node.value, dict) or not node.value:
            text = "expected a processor with its options, or if and then"
            self.faults.append((path, f"found {describe(node, path)}, {text}"))
            return None
        if "if" in node.value:
            return self._branch(node.value, path)
        if len(node.value) > 1:
            text = f"found {', '.join(node.value)}, expected one processor; indent its options more"
            self.faults.append((path, text))
            return None
        ((name, inside),) = node.value.items()
        if name in PROCESSORS:
            return self._action(name, inside, below(path, name))
        self.faults.append((below(path, name), _unknown(name)))
        return None

    # ------------------------------------------------------------------ if, then, else
    def _branch(self, section: Mapping[str, Node], path: str) -> Branch | None:
        self.faults += [
            (below(path, key), "unknown key, expected if, then and else")
            for key in section
            if key not in ("if", "then", "else")
        ]
        condition = self._condition(section["if"], below(path, "if"))
        then = self._side(section.get("then"), below(path, "then"))
        otherwise = self._side(section.get("else"), below(path, "else"))
        if then is None:
            self.faults.append((below(path, "then"), "is missing, expected processors"))
        if condition is None or then is None:
            return None
        return Branch(condition=condition, then=then, otherwise=otherwise or ())

    def _side(self, node: Node | None, path: str) -> tuple[Step, ...] | None:
        """A list of processors or a single one; None where there is nothing."""
        return None if node is None or node.value is None else self.steps(node, path)

    def _condition(self, node: Node, path: str) -> Mapping[str, Any] | None:
        if node.is_broken:
            return None
        data = to_plain(node)
        try:
            parse_condition(data)
        except ConditionError as error:
            self.faults += [
                (below(path, inside) if inside else path, text) for inside, text in error.faults
            ]
            return None
        return cast(Mapping[str, Any], data)

    # ------------------------------------------------------------------ one processor
    def _action(self, name: str, node: Node, path: str) -> Action | None:
        if node.value is not None and not isinstance(node.value, dict):
            text = f"found {describe(node, path)}, expected a section with its options"
            self.faults.append((path, text))
            return None
        before = len(self.faults)
        declared = PROCESSORS[name]
        values = SectionReader((*declared.options, *COMMON)).read(node, path, self.faults)
        if len(self.faults) > before or _is_broken(node):
            return None
        when, tag = values.pop("when", None), values.pop("tag", "")
        is_enabled = values.pop("enabled", True)
        config = self._config(declared, values, path)
        return Action(name=name, config=config, when=when, tag=tag) if is_enabled else None

    def _config(self, declared: Declared, values: dict[str, object], path: str) -> ProcessorConfig:
        config = declared.config(**values)
        self.faults += [(below(path, key), text) for key, text in config.problems()]
        return config


def _is_broken(node: Node) -> bool:
    """Whether something in it could not be expanded, which has been told."""
    return node.is_broken or any(map(_is_broken, children(node)))


def _unknown(name: str) -> str:
    if name in ELSEWHERE:
        return "is a processor of Beats that connbeat has not"
    hint = nearest_key(name, PROCESSORS)
    return f"unknown processor, did you mean {hint}?" if hint else "unknown processor"
