from connbeat.connections.plans import Plan, PlanPolicy, Plans, Rule
from connbeat.model.conditions import parse_condition
from connbeat.model.connections import Party
from connbeat.model.containers import Container
from connbeat.model.documents import Document
from connbeat.model.processes import Process, UnknownReason
from tests.builders import SECOND, process

WEB, DB = Container("c" * 64, name="web"), Container("d" * 64, name="db")


class Desk:
    """Plans, and how often a party had to be described."""

    def __init__(self, **fields: object) -> None:
        self.described = 0
        self.plans = Plans(PlanPolicy(**fields), self._describe)  # type: ignore[arg-type]  # by name

    def _describe(self, party: Party) -> Document:
        self.described += 1
        binary = party.owner.binary if isinstance(party.owner, Process) else "?"
        name = party.container.name if party.container is not None else ""
        return {"local_process": {"binary": binary}, "container": {"name": name}}


def named(name: str, seconds: int) -> Rule:
    return Rule(parse_condition({"equals": {"container.name": name}}), seconds * SECOND)


def test_without_conditions_there_is_one_plan_for_all_and_nobody_is_described() -> None:
    desk = Desk(interval_ns=30, summary_ns=60, is_summarised=True)
    assert desk.plans.default == Plan(30, 60)
    assert desk.described == 0


def test_the_first_rule_that_fits_counts() -> None:
    desk = Desk(interval_ns=30, rules=(named("web", 5), named("web", 6), named("db", 0)))
    assert desk.plans.default is None
    assert desk.plans.of(Party(process(1), WEB)) == Plan(5 * SECOND)
    assert desk.plans.of(Party(process(1), DB)) == Plan(0)
    assert desk.plans.of(Party(process(1), None)) == Plan(30)


def test_only_what_the_condition_fits_is_summarised() -> None:
    fits = parse_condition({"equals": {"local_process.binary": "p1"}})
    desk = Desk(interval_ns=30, summary_ns=60, is_summarised=True, summarised=fits)
    assert desk.plans.of(Party(process(1), WEB)) == Plan(30, 60)
    assert desk.plans.of(Party(process(2), WEB)) == Plan(30)


def test_a_rule_does_not_keep_what_is_summarised_from_being_that() -> None:
    desk = Desk(interval_ns=30, rules=(named("web", 5),), summary_ns=60, is_summarised=True)
    assert desk.plans.of(Party(process(1), WEB)) == Plan(5 * SECOND, 60)


def test_a_party_is_asked_about_once_until_it_changes() -> None:
    desk, owner = Desk(interval_ns=30, rules=(named("web", 5),)), process(1)
    for _ in range(100):
        desk.plans.of(Party(owner, WEB))
        desk.plans.of(Party(UnknownReason.EXITED, WEB))
    assert desk.described == 2
    for _ in range(100):  # nobody described it, so it is another value each time
        assert desk.plans.of(Party(owner, Container(WEB.id))) == Plan(30)
    assert desk.described == 3
    assert desk.plans.of(Party(owner, Container(WEB.id, name="web"))) == Plan(5 * SECOND)


def test_answers_are_not_kept_without_end() -> None:
    desk = Desk(interval_ns=30, rules=(named("web", 5),))
    for number in range(10_050):
        desk.plans.of(Party(process(number), WEB))
    assert len(desk.plans._known) <= 10_000
    assert desk.described == 10_050
