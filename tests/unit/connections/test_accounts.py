from hypothesis import given
from hypothesis import strategies as st

from connbeat.connections.accounts import Account
from connbeat.connections.groups import Group
from connbeat.model.connections import Direction, Moved, Party, SummaryReason
from connbeat.model.processes import UnknownReason
from connbeat.model.sockets import Counters

PARTY = Party(UnknownReason.EXITED, None)


def group() -> Group:
    key = (1, "", 1, Direction.OUTBOUND, SummaryReason.CONFIGURED, None, b"\x0a\0\0\2", 80)
    return Group(key, PARTY, b"\x0a\0\0\1", ())


def counters(amount: int) -> Counters:
    return Counters(amount, 2 * amount, amount % 10, 0, None)


def moved(of: Group) -> int:
    assert of.bytes_received == 2 * of.bytes_sent
    return of.bytes_sent


def test_a_summary_gets_what_came_since_the_step_before() -> None:
    account, one = Account(), group()
    account.tell_in(one, counters(100))
    account.tell_in(one, counters(130))
    assert moved(one) == 130
    assert account.tell_singly(counters(150)) == Moved(130, 260, 0)
    account.tell_in(one, counters(170))
    assert moved(one) == 150, "what was told singly is not told again"
    assert account.tell_singly(counters(170)) == Moved(150, 300, 0)


def test_a_life_that_no_summary_told_of_says_nothing_of_them() -> None:
    account = Account()
    assert account.tell_singly(counters(5)) is None
    assert account.tell_singly(None) is None


def test_what_was_moved_before_the_agent_came_is_told_apart() -> None:
    account, one = Account(), group()
    account.tell_earlier_in(one, counters(1000))
    account.tell_in(one, counters(1001))
    assert moved(one) == 1
    assert one.earlier == [1000, 2000, 0]
    assert account.tell_singly(counters(1001)) == Moved(1001, 2002, 1)


def test_steps_without_counters_change_nothing() -> None:
    account, one = Account(), group()
    account.tell_in(one, counters(10))
    account.tell_in(one, None)
    account.tell_singly(None)
    account.tell_in(one, counters(11))
    assert moved(one) == 11


def test_a_life_is_open_in_one_group_at_a_time() -> None:
    account, one, other = Account(), group(), group()
    account.stay_in(one)
    account.stay_in(one)
    assert (one.open, other.open) == (1, 0)
    account.stay_in(other)
    assert (one.open, other.open) == (0, 1)
    account.leave()
    account.leave()
    assert (one.open, other.open) == (0, 0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 1000))))
def test_the_last_single_report_and_all_summaries_are_the_whole(
    steps: list[tuple[bool, int]],
) -> None:
    account, one, total = Account(), group(), 0
    single = 0
    for is_single, more in steps:
        total += more
        if is_single:
            summarised = account.tell_singly(counters(total)) or Moved()
            single = total - summarised.bytes_sent
        else:
            account.tell_in(one, counters(total))
    assert single + moved(one) == total
