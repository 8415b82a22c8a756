from hypothesis import given
from hypothesis import strategies as st

from connbeat.agent.cpu_budget import BudgetPolicy, CpuBudget
from connbeat.model.connections import SummaryReason
from tests.builders import SECOND

BUDGET, OVERRUN = SummaryReason.CPU_BUDGET, SummaryReason.BUFFER_OVERRUN


class Agent:
    """Uses CPU and asks once a second. A quarter of a core over 10 s, calm after 20 s."""

    def __init__(self) -> None:
        self.budget = CpuBudget(
            BudgetPolicy(share=0.25, period_ns=10 * SECOND, calm_ns=20 * SECOND)
        )
        self.second = 100
        self.cpu = 0.0

    def run(
        self, seconds: int, share: float, *, is_overrun: bool = False
    ) -> list[SummaryReason | None]:
        return [self._step(share, is_overrun=is_overrun) for _ in range(seconds)]

    def _step(self, share: float, *, is_overrun: bool) -> SummaryReason | None:
        self.second += 1
        self.cpu += share
        return self.budget.step(self.second * SECOND, self.cpu, is_overrun=is_overrun)

    def seconds_until_calm(self, share: float) -> int:
        for second in range(1, 1000):
            if self._step(share, is_overrun=False) is None:
                return second
        return 0


def test_what_is_within_the_budget_sheds_nothing() -> None:
    assert set(Agent().run(100, 0.25)) == {None}


def test_more_than_the_budget_over_the_period_sheds() -> None:
    agent = Agent()
    agent.run(20, 0.2)
    assert agent.run(1, 0.5) == [None], "one second is no period"
    assert agent.run(1, 0.5) == [BUDGET], "0.26 of a core over 10 s"


def test_nothing_is_decided_before_a_period_is_over() -> None:
    """The start costs more than all that comes."""
    agent = Agent()
    assert set(agent.run(10, 3.0)) == {None}
    assert agent.run(1, 3.0) == [BUDGET]


def test_an_overrun_sheds_at_once() -> None:
    assert Agent().run(1, 0.0, is_overrun=True) == [OVERRUN]


def test_it_returns_after_a_time_of_calm() -> None:
    agent = Agent()
    agent.run(20, 1.0)
    assert agent.seconds_until_calm(0.0) in range(28, 31), "9 s until the mean is low, 20 of calm"


def test_half_of_the_budget_is_not_calm() -> None:
    agent = Agent()
    agent.run(20, 1.0)
    assert set(agent.run(500, 0.2)) == {BUDGET}


def test_what_disturbs_the_calm_begins_it_anew() -> None:
    agent = Agent()
    agent.run(20, 1.0)
    agent.run(25, 0.0)
    agent.run(1, 0.0, is_overrun=True)
    assert agent.seconds_until_calm(0.0) in range(20, 23)


def test_who_comes_back_soon_waits_longer_each_time() -> None:
    agent, found = Agent(), []
    for _ in range(7):
        agent.run(1, 0.0, is_overrun=True)
        found.append(agent.seconds_until_calm(0.0))
    assert found[1:4] == [41, 81, 161]
    assert max(found) <= 321


def test_who_comes_back_late_waits_no_longer_than_at_first() -> None:
    agent = Agent()
    agent.run(30, 0.0)
    agent.run(1, 0.0, is_overrun=True)
    first = agent.seconds_until_calm(0.0)
    agent.run(100, 0.0)
    agent.run(1, 0.0, is_overrun=True)
    assert agent.seconds_until_calm(0.0) == first


def test_the_reason_stays_the_one_it_began_with() -> None:
    agent = Agent()
    agent.run(20, 1.0)
    assert agent.run(1, 1.0, is_overrun=True) == [BUDGET]


@given(st.lists(st.tuples(st.floats(0, 2), st.booleans()), max_size=100))
def test_readings_are_kept_for_one_period(steps: list[tuple[float, bool]]) -> None:
    agent = Agent()
    for share, is_overrun in steps:
        agent.run(1, share, is_overrun=is_overrun)
    assert len(agent.budget._readings) <= 12
