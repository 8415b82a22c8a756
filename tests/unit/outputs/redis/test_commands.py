import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.model.batches import Event
from connbeat.outputs.redis.commands import Command, Refused, plan_rounds, settle
from connbeat.outputs.redis.config import Datatype
from tests.deliveries import event, events


def test_a_list_gets_its_events_in_one_command() -> None:
    keyed = [("a", event(0)), ("b", event(1)), ("a", event(2))]
    assert list(plan_rounds(keyed, "list")) == [
        (Command("RPUSH", "a", (event(0), event(2))), Command("RPUSH", "b", (event(1),)))
    ]


def test_a_channel_gets_each_event_in_its_turn() -> None:
    keyed = [("a", event(0)), ("b", event(1)), ("a", event(2))]
    assert list(plan_rounds(keyed, "channel")) == [
        tuple(Command("PUBLISH", key, (one,)) for key, one in keyed)
    ]


def test_a_command_says_key_and_bodies() -> None:
    assert Command("RPUSH", "k", events(2)).arguments() == ("RPUSH", "k", b'{"n":0}', b'{"n":1}')


@pytest.mark.parametrize("datatype", ["list", "channel"])
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30))), st.integers(1, 60))
def test_every_event_is_in_one_round_in_the_order_of_its_key(
    datatype: Datatype, keyed: list[tuple[str, int]], max_bytes: int
) -> None:
    sent = [(key, Event(f"e{n}", n, b"x" * size)) for n, (key, size) in enumerate(keyed)]
    rounds = list(plan_rounds(sent, datatype, max_bytes=max_bytes))
    for key in "abc":
        arrived = [
            one
            for commands in rounds
            for command in commands
            if command.key == key
            for one in command.events
        ]
        assert arrived == [one for its, one in sent if its == key]
    for commands in rounds:
        sizes = [one.size_bytes for command in commands for one in command.events]
        assert sum(sizes) <= max_bytes or len(sizes) == 1


def test_each_reply_is_for_its_commands_events() -> None:
    commands = [Command("RPUSH", key, events(2, first=n * 2)) for n, key in enumerate("abc")]
    settled = settle(commands, [2, Refused("no"), 2])
    assert settled.delivered == (*events(2), *events(2, first=4))
    assert settled.refused == events(2, first=2)
    assert settled.unknown == ()
    assert settled.refusal == "RPUSH b: no"


def test_what_has_no_reply_is_unknown() -> None:
    commands = [Command("RPUSH", key, events(2, first=n * 2)) for n, key in enumerate("ab")]
    settled = settle(commands, [2])
    assert (settled.delivered, settled.unknown) == (events(2), events(2, first=2))
    assert settle(commands, []).unknown == events(4)
