"""Plans: how often a process's connections are told of, and whether singly or in summaries.

The user's rules ask for containers and processes only, so their answer is the same for all
connections of one: it is looked up for each, and worked out once.
"""

from collections.abc import Callable, Sequence

import msgspec

from connbeat.model.conditions import Condition
from connbeat.model.connections import Party
from connbeat.model.containers import Container
from connbeat.model.documents import Document
from connbeat.model.processes import Owner

#: What a document would say of a party.
Describe = Callable[[Party], Document]

#: Answers kept; then it begins anew. A process or container that changed is another value.
_KEPT = 10_000


class Plan(msgspec.Struct, frozen=True, gc=False):
    """Told again after `interval_ns`, 0 for never.

    With `summary_ns` its connections, but not its listeners, are told in summaries instead, and
    looked at so often.
    """

    interval_ns: int
    summary_ns: int = 0


class Rule(msgspec.Struct, frozen=True):
    """What fits is told of again after this time."""

    fits: Condition
    interval_ns: int


class PlanPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The first rule that fits counts, otherwise `interval_ns` does.

    A summary is of `summary_ns`. With `is_summarised` connections are told in such: those that the
    condition `summarised` fits, all if there is none.
    """

    interval_ns: int
    rules: Sequence[Rule] = ()
    summary_ns: int = 30_000_000_000
    is_summarised: bool = False
    summarised: Condition | None = None


class Plans:
    """Answers by what a document would say of the process and its container. Mutable, one owner."""

    def __init__(self, policy: PlanPolicy, describe: Describe) -> None:
        self.policy = policy
        self._describe = describe
        self._summary_ns = policy.summary_ns if policy.is_summarised else 0
        is_always_same = not policy.rules and policy.summarised is None
        #: The plan of everybody, if there is one.
        self.default = Plan(policy.interval_ns, self._summary_ns) if is_always_same else None
        #: By the `id` of both, which stand here too, lest those be others'.
        self._known: dict[tuple[int, int | str], tuple[Owner, Container | None, Plan]] = {}

    def of(self, party: Party) -> Plan:
        """The plan; asking is of no use where there is a `default`."""
        owner, container = party.owner, party.container
        # What no engine described is made anew each time, and is always the same.
        place = container.id if container is not None and not container.name else id(container)
        known = self._known.get((id(owner), place))
        if known is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            known = self._known[id(owner), place] = owner, container, self._work_out(party)
        return known[2]

    def _work_out(self, party: Party) -> Plan:
        policy, document = self.policy, self._describe(party)
        interval_ns = next(
            (rule.interval_ns for rule in policy.rules if rule.fits(document)), policy.interval_ns
        )
        if policy.summarised is None or policy.summarised(document):
            return Plan(interval_ns, self._summary_ns)
        return Plan(interval_ns)
