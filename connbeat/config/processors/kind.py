"""The type of the option `processors`. Pure."""

from connbeat.config.kinds import Mismatch
from connbeat.config.tree import Node
from connbeat.processors.protocol import Step

# Each calls the next one, in Python's own stack.
_MOST = 200
_EXPECTED = "a list of processors such as - drop_fields: {fields: [container.env]}"


class Processors:
    """The value is a tuple of steps."""

    name = "list of processors"

    def parse(self, node: Node) -> tuple[Step, ...]:
        # Every processor's options: half a megabyte that an agent without any does not need.
        from connbeat.config.processors.steps import StepReader  # noqa: PLC0415  see above

        if not isinstance(node.value, tuple):
            raise Mismatch(_EXPECTED)
        reader = StepReader()
        steps = reader.steps(node, "")
        if reader.faults:
            raise Mismatch(_EXPECTED, tuple(reader.faults))
        if reader.count > _MOST:
            raise Mismatch(f"at most {_MOST} processors")
        return steps

    def show(self, value: object) -> str:
        return str(value)
