import logging
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.agent.delivery.deliver import DeliveryPolicy, DeliveryWorker
from connbeat.agent.delivery.delivery_report import DeliveryCounts
from connbeat.agent.delivery.filters import WhenFilter
from connbeat.backoff import Backoff
from connbeat.errors import Permanent, Transient
from connbeat.model.batches import Batch, Drop, Outcome
from connbeat.queue.memory import MemoryQueue
from connbeat.telemetry.metrics import Metric, Metrics
from tests.deliveries import FakeClock, FakeOutput, event, events, ids

SECOND = 1_000_000_000


class Bench:
    """A worker and everything around it, in one thread: `finish` drains and runs it."""

    def __init__(self, output: FakeOutput, policy: DeliveryPolicy | None = None) -> None:
        self.output = output
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.queue = MemoryQueue(
            "fake", self.metrics, self.clock, max_events=1000, max_bytes=1 << 20
        )
        self.worker = DeliveryWorker(
            output,
            self.queue,
            policy or DeliveryPolicy(),
            metrics=self.metrics,
            clock=self.clock,
        )

    def finish(self, seconds: float = 1000.0) -> DeliveryCounts:
        self.worker.drain(self.clock.monotonic + int(seconds * SECOND))
        self.worker.run()
        self.queue.close("shutdown")
        return self.worker._report.counts()

    def dropped(self, reason: str) -> float:
        return self.metrics.get(Metric.EVENTS_DROPPED, output="fake", reason=reason)


def refuse(*numbers: int) -> Callable[[Batch], Outcome]:
    """These events are to be retried, the others arrive."""
    wanted = {f"e{number}" for number in numbers}

    def answer(batch: Batch) -> Outcome:
        return Outcome(
            delivered=tuple(one for one in batch.events if one.id not in wanted),
            retry=tuple(one for one in batch.events if one.id in wanted),
        )

    return answer


def test_what_is_queued_is_sent_in_batches() -> None:
    bench = Bench(FakeOutput(), DeliveryPolicy(max_events=2))
    bench.queue.put(events(5))
    assert bench.finish() == DeliveryCounts(delivered=5, retried=0, dropped=0)
    assert bench.output.sent == [["e0", "e1"], ["e2", "e3"], ["e4"]]
    assert bench.output.calls == ["close"]


def test_a_transient_failure_sends_the_same_batch_again() -> None:
    bench = Bench(FakeOutput(Transient("down"), Transient("down")))
    bench.queue.put(events(2))
    assert bench.finish() == DeliveryCounts(delivered=2, retried=4, dropped=0)
    assert bench.output.sent == [["e0", "e1"]] * 3


def test_only_what_was_refused_is_sent_again_and_holds_up_nobody() -> None:
    bench = Bench(FakeOutput(refuse(1), refuse(1)), DeliveryPolicy(max_events=3))
    bench.queue.put(events(6))
    bench.finish()
    assert bench.output.sent == [["e0", "e1", "e2"], ["e1", "e3", "e4"], ["e1", "e5"]]


def test_the_waits_grow_while_nothing_arrives_and_are_capped() -> None:
    policy = DeliveryPolicy(backoff=Backoff(init_seconds=1.0, max_seconds=8.0))
    bench = Bench(FakeOutput(*[Transient("down")] * 200), policy)
    bench.queue.put(events(1))
    bench.finish(100_000)
    waits = bench.clock.waits
    assert len(waits) == 200
    assert waits[0] <= 1
    assert waits[1] <= 2
    assert waits[2] <= 4
    assert 4 < max(waits) <= 8
    assert min(waits) < 2, "full jitter reaches down to nothing"


def test_anything_that_arrives_starts_the_waits_anew() -> None:
    policy = DeliveryPolicy(backoff=Backoff(init_seconds=1.0, max_seconds=1000.0))
    bench = Bench(FakeOutput(*[Transient("down")] * 10, refuse(1), Transient("down")), policy)
    bench.queue.put(events(2))
    bench.finish(1_000_000)
    assert len(bench.clock.waits) == 12
    assert max(bench.clock.waits[10:]) <= 1


def test_a_batch_refused_whole_counts_as_nothing_arrived() -> None:
    bench = Bench(FakeOutput(*[refuse(0)] * 3))
    bench.queue.put(events(1))
    bench.finish()
    assert bench.metrics.get(Metric.OUTPUT_FAILURES, output="fake", kind="transient") == 3


@pytest.mark.parametrize("asked", [30.0, 1e18])
def test_the_other_sides_wish_is_honoured_up_to_an_hour(asked: float) -> None:
    bench = Bench(
        FakeOutput(
            Transient("busy", asked),
            lambda batch: Outcome(retry=batch.events, retry_after_seconds=asked),
        )
    )
    bench.queue.put(events(1))
    bench.finish(100_000)
    assert bench.clock.waits == [min(asked, 3600.0)] * 2


def test_a_limit_of_retries_gives_up_the_event_and_not_its_neighbours() -> None:
    bench = Bench(FakeOutput(*[refuse(1)] * 10), DeliveryPolicy(max_retries=2))
    bench.queue.put(events(3))
    assert bench.finish() == DeliveryCounts(delivered=2, retried=2, dropped=1)
    assert bench.dropped("max_retries") == 1
    assert bench.output.sent == [["e0", "e1", "e2"], ["e1"], ["e1"]]


def test_giving_up_at_once_still_waits_between_batches() -> None:
    policy = DeliveryPolicy(max_retries=0, max_events=1)
    bench = Bench(FakeOutput(*[Transient("down")] * 3), policy)
    bench.queue.put(events(3))
    assert bench.finish().dropped == 3
    assert len(bench.clock.waits) == 3


def test_what_the_output_drops_is_counted_by_its_reason() -> None:
    bench = Bench(
        FakeOutput(lambda batch: Outcome(dropped=tuple(Drop(e, "refused") for e in batch.events)))
    )
    bench.queue.put(events(2))
    assert bench.finish() == DeliveryCounts(delivered=0, retried=0, dropped=2)
    assert bench.dropped("refused") == 2
    assert bench.clock.waits == []


def test_a_mistake_of_an_output_costs_no_event(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(FakeOutput(ZeroDivisionError("a bug"), ZeroDivisionError("a bug")))
    bench.queue.put(events(2))
    assert bench.finish() == DeliveryCounts(delivered=2, retried=4, dropped=0)
    assert bench.metrics.get(Metric.OUTPUT_FAILURES, output="fake", kind="unexpected") == 2
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert errors[0].exc_info is not None


def test_an_output_that_is_gone_ends_its_worker_and_tells() -> None:
    bench = Bench(FakeOutput(None, Permanent("nobody reads")), DeliveryPolicy(max_events=1))
    gone: list[tuple[str, str]] = []
    bench.worker.start(lambda name, error: gone.append((name, str(error))))
    bench.queue.put(events(3))
    bench.worker._thread.join(10)
    assert gone == [("fake", "nobody reads")]
    bench.queue.put(events(1, first=3))
    assert bench.worker.join() == DeliveryCounts(delivered=1, retried=0, dropped=3)
    assert bench.dropped("output_gone") == 3
    assert bench.output.calls == ["open", "close"]


# Starting


def test_an_output_that_can_never_work_stops_the_start() -> None:
    output = FakeOutput()
    output.trouble = Permanent("not a directory")
    bench = Bench(output)
    with pytest.raises(Permanent, match="not a directory"):
        bench.worker.start(lambda *_: None)
    assert not bench.worker._thread.is_alive()


def test_an_output_that_may_work_later_does_not_stop_the_start() -> None:
    output = FakeOutput()
    output.trouble = Transient("disk full")
    bench = Bench(output)
    bench.worker.start(lambda *_: None)
    bench.queue.put(events(2))
    bench.worker.drain(bench.clock.monotonic + 10 * SECOND)
    assert bench.worker.join().delivered == 2


# Reopening


def test_a_reopen_comes_before_the_next_batch() -> None:
    output = FakeOutput()
    bench = Bench(output)

    def send(batch: Batch) -> Outcome:
        assert output.calls == ["reopen"]
        return Outcome(delivered=batch.events)

    output.plan.append(send)
    bench.queue.put(events(1))
    bench.worker.reopen()
    assert bench.finish().delivered == 1
    assert output.calls == ["reopen", "close"]


def test_a_reopen_wakes_an_idle_worker() -> None:
    reopened = threading.Event()
    output = FakeOutput()
    output.reopen = reopened.set  # type: ignore[method-assign]  # a fake may be told anew
    bench = Bench(output)
    bench.worker.start(lambda *_: None)
    bench.worker.reopen()
    assert reopened.wait(10)
    bench.worker.drain(bench.clock.monotonic + SECOND)
    bench.worker.join()


def test_a_reopen_cuts_a_wait_short() -> None:
    bench = Bench(FakeOutput(Transient("down", 1000.0)))
    bench.clock.on_wait = bench.worker.reopen
    bench.queue.put(events(1))
    start = bench.clock.monotonic
    assert bench.finish().delivered == 1
    assert bench.clock.monotonic == start
    assert bench.output.calls == ["reopen", "close"]


def test_a_reopen_that_fails_is_trouble_like_any_other() -> None:
    output = FakeOutput()
    output.trouble = Transient("no such directory")
    bench = Bench(output)
    bench.worker.reopen()
    bench.queue.put(events(1))
    assert bench.finish().delivered == 1
    assert bench.metrics.get(Metric.OUTPUT_FAILURES, output="fake", kind="transient") == 1


def test_a_reopen_with_a_mistake_in_it_does_not_end_the_worker() -> None:
    output = FakeOutput()
    output.trouble = ZeroDivisionError("a bug")
    bench = Bench(output)
    bench.worker.reopen()
    bench.queue.put(events(1))
    assert bench.finish().delivered == 1


# New settings


def test_a_new_output_takes_over_between_two_batches_and_what_was_refused_goes_to_it() -> None:
    old, new = FakeOutput(refuse(1)), FakeOutput()
    bench = Bench(old)
    bench.clock.on_wait = lambda: bench.worker.exchange(DeliveryPolicy(), new)
    bench.queue.put(events(2))
    assert bench.finish() == DeliveryCounts(delivered=2, retried=1, dropped=0)
    assert (old.sent, old.calls) == ([["e0", "e1"]], ["close"])
    assert (new.sent, new.calls) == ([["e1"]], ["open", "close"])


def test_a_new_policy_without_an_output_is_the_old_output_s() -> None:
    bench = Bench(FakeOutput(), DeliveryPolicy(max_events=1))
    bench.queue.put(events(4))
    bench.worker.exchange(DeliveryPolicy(max_events=3), None)
    assert bench.finish().delivered == 4
    assert bench.output.sent == [["e0", "e1", "e2"], ["e3"]]
    assert bench.output.calls == ["close"]


def test_of_two_exchanges_the_last_one_counts() -> None:
    bench, second, third = Bench(FakeOutput()), FakeOutput(), FakeOutput()
    bench.worker.exchange(DeliveryPolicy(), second)
    bench.worker.exchange(DeliveryPolicy(max_events=1), third)
    bench.queue.put(events(2))
    bench.finish()
    assert bench.output.calls == ["close"]
    assert second.calls == ["open", "close"]
    assert third.sent == [["e0"], ["e1"]]


def test_a_new_output_that_can_never_work_leaves_the_old_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench, new = Bench(FakeOutput()), FakeOutput()
    new.trouble = Permanent("no such directory")
    bench.worker.exchange(DeliveryPolicy(), new)
    bench.queue.put(events(2))
    assert bench.finish().delivered == 2
    assert ids(bench.output.taken) == ["e0", "e1"]
    assert new.calls == ["open", "close"]
    assert bench.worker.has_refused
    assert (
        "The new settings cannot work, the old ones stay. output=fake error=no such" in caplog.text
    )


def test_a_new_output_with_a_mistake_in_it_leaves_the_old_one_and_is_tried_again() -> None:
    bench, new = Bench(FakeOutput()), FakeOutput()
    new.trouble = ValueError("bug")
    bench.worker.exchange(DeliveryPolicy(), new)
    bench.queue.put(events(2))
    assert bench.finish().delivered == 2
    assert ids(bench.output.taken) == ["e0", "e1"]
    assert new.calls == ["open", "close"]
    assert bench.worker.has_refused


def test_a_new_output_that_may_work_later_takes_over() -> None:
    bench, new = Bench(FakeOutput()), FakeOutput()
    new.trouble = Transient("down")
    bench.worker.exchange(DeliveryPolicy(), new)
    bench.queue.put(events(1))
    assert bench.finish().delivered == 1
    assert ids(new.taken) == ["e0"]
    assert not bench.worker.has_refused


def test_an_exchange_wakes_an_idle_worker() -> None:
    bench, opened = Bench(FakeOutput()), threading.Event()
    new = FakeOutput()
    new.open = opened.set  # type: ignore[method-assign]  # a fake may be told anew
    bench.worker.start(lambda *_: None)
    bench.worker.exchange(DeliveryPolicy(), new)
    assert opened.wait(10)
    bench.worker.drain(bench.clock.monotonic + SECOND)
    bench.worker.join()


# Stopping


def test_stopping_wakes_a_worker_that_waits_and_begins_with_short_waits() -> None:
    policy = DeliveryPolicy(backoff=Backoff(init_seconds=1.0, max_seconds=10_000.0))
    bench = Bench(FakeOutput(*[Transient("down")] * 12), policy)
    bench.queue.put(events(1))

    def stop_at_the_tenth() -> None:
        if len(bench.clock.waits) == 10:
            bench.worker.drain(bench.clock.monotonic + 100 * SECOND)

    bench.clock.on_wait = stop_at_the_tenth
    bench.worker.run()
    assert bench.output.sent == [["e0"]] * 13
    assert max(bench.clock.waits[10:]) <= 2


def test_at_the_deadline_the_rest_is_dropped_and_counted() -> None:
    bench = Bench(FakeOutput(*[Transient("down")] * 1000))
    bench.queue.put(events(3))
    end = bench.clock.monotonic + 10 * SECOND
    counts = bench.finish(10)
    assert abs(bench.clock.monotonic - end) <= 1
    assert (counts.delivered, counts.dropped) == (0, 3)
    assert bench.dropped("shutdown") == 3


def test_a_deadline_in_the_past_sends_nothing_more() -> None:
    bench = Bench(FakeOutput())
    bench.queue.put(events(3))
    assert bench.finish(0).dropped == 3
    assert bench.output.sent == []


def test_an_output_that_hangs_does_not_hold_up_the_end() -> None:
    is_sending, may_end = threading.Event(), threading.Event()

    def hang(batch: Batch) -> Outcome:
        is_sending.set()
        may_end.wait(10)
        return Outcome(delivered=batch.events)

    bench = Bench(FakeOutput(hang))
    bench.worker.start(lambda *_: None)
    bench.queue.put(events(2))
    assert is_sending.wait(10)
    bench.queue.put(events(1, first=2))
    bench.worker.drain(bench.clock.monotonic)
    counts = bench.worker.join()
    may_end.set()
    bench.worker._thread.join(10)
    assert counts == DeliveryCounts(delivered=0, retried=0, dropped=3)
    assert bench.worker._report.counts() == counts, "counted twice"


def test_a_worker_takes_what_comes_and_drains_when_told() -> None:
    bench = Bench(FakeOutput())
    bench.worker.start(lambda *_: None)
    for first in range(0, 100, 10):
        bench.queue.put(events(10, first))
    bench.worker.drain(bench.clock.monotonic + SECOND)
    assert bench.worker.join() == DeliveryCounts(delivered=100, retried=0, dropped=0)
    assert ids(bench.output.taken) == ids(events(100))


@given(st.lists(st.lists(st.sampled_from("drax"), min_size=4, max_size=4), max_size=12))
def test_whatever_the_output_answers_every_event_is_accounted_for(
    answers: list[list[str]],
) -> None:
    def answer(fates: list[str]) -> Callable[[Batch], Outcome]:
        def outcome(batch: Batch) -> Outcome:
            pairs = list(zip(batch.events, fates, strict=False))
            return Outcome(  # "x" is forgotten: an output's mistake
                delivered=tuple(one for one, fate in pairs if fate == "d"),
                retry=tuple(one for one, fate in pairs if fate == "r"),
                dropped=tuple(Drop(one, "refused") for one, fate in pairs if fate == "a"),
            )

        return outcome

    bench = Bench(FakeOutput(*map(answer, answers)), DeliveryPolicy(max_events=4))
    bench.queue.put(events(20))
    counts = bench.finish()
    assert counts.delivered + counts.dropped == 20
    assert len(set(ids(bench.output.taken))) == len(bench.output.taken) == counts.delivered


@pytest.mark.parametrize(
    "wrong", [{"max_events": 0}, {"min_events": 0}, {"flush_seconds": -1}, {"max_retries": -1}]
)
def test_a_policy_that_cannot_work_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        DeliveryPolicy(**wrong)  # type: ignore[arg-type]  # numbers all of them


def test_one_event_of_a_batch_is_enough_to_send() -> None:
    bench = Bench(FakeOutput())
    bench.queue.put([event(0)])
    assert bench.finish().delivered == 1


class Kept:
    """What became a dead letter."""

    def __init__(self) -> None:
        self.drops: list[Drop] = []
        self.is_closed = False

    def keep(self, drops: tuple[Drop, ...]) -> bool:
        self.drops += drops
        return True

    def close(self) -> None:
        self.is_closed = True


def test_what_an_output_does_not_want_leaves_the_queue_unsent() -> None:
    policy = DeliveryPolicy(max_events=3, wanted=WhenFilter({"range": {"n": {"gte": 3}}}))
    bench = Bench(FakeOutput(), policy)
    bench.queue.put(events(7))
    assert bench.finish() == DeliveryCounts(delivered=4, retried=0, dropped=0)
    assert bench.output.sent == [["e3", "e4", "e5"], ["e6"]]
    assert bench.metrics.get(Metric.EVENTS_FILTERED, output="fake") == 3
    assert len(bench.queue) == 0


def test_a_failure_keeps_what_is_wanted_and_counts_the_rest_once() -> None:
    policy = DeliveryPolicy(wanted=WhenFilter({"equals": {"n": 1}}))
    bench = Bench(FakeOutput(Transient("down"), Transient("down")), policy)
    bench.queue.put(events(3))
    assert bench.finish() == DeliveryCounts(delivered=1, retried=2, dropped=0)
    assert bench.output.sent == [["e1"]] * 3
    assert bench.metrics.get(Metric.EVENTS_FILTERED, output="fake") == 2


def test_what_is_refused_or_spent_is_a_dead_letter(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    policy = DeliveryPolicy(max_retries=0, dead_letters=kept)  # type: ignore[arg-type]  # a fake
    bench = Bench(
        FakeOutput(
            lambda batch: Outcome(
                retry=batch.events[:1], dropped=(Drop(batch.events[1], "refused", "400"),)
            )
        ),
        policy,
    )
    bench.queue.put(events(2))
    bench.finish()
    assert {(drop.event.id, drop.reason) for drop in kept.drops} == {
        ("e0", "max_retries"),
        ("e1", "refused"),
    }
    assert kept.is_closed
    assert "dead letters" in caplog.text
    assert "are lost" not in caplog.text


def test_a_mistake_after_the_sending_costs_no_event_and_keeps_none_in_the_queue() -> None:
    class Breaks(Kept):
        def keep(self, drops: tuple[Drop, ...]) -> bool:
            if not self.drops:
                self.drops += drops
                raise ValueError("bug")
            return super().keep(drops)

    policy = DeliveryPolicy(dead_letters=Breaks())  # type: ignore[arg-type]  # a fake
    bench = Bench(
        FakeOutput(lambda batch: Outcome(dropped=(Drop(batch.events[0], "refused", "400"),))),
        policy,
    )
    bench.queue.put(events(2))
    assert bench.finish() == DeliveryCounts(delivered=2, retried=0, dropped=0)
    assert bench.output.sent == [["e0", "e1"]] * 2
