"""One of the connections that work on a batch: events become requests, answers an outcome."""

import logging
from collections import deque
from collections.abc import Sequence

import msgspec

from connbeat.clock import Clock
from connbeat.errors import Transient
from connbeat.model.batches import Drop, Event, Outcome
from connbeat.model.format_strings import MissingField
from connbeat.model.selectors import Selector
from connbeat.outputs.elasticsearch.bulk import (
    FILTER_PATH,
    IN_DEAD_LETTER_INDEX,
    MALFORMED,
    NO_INDEX,
    TOO_LARGE,
    Action,
    Encoder,
    Target,
    body_of,
    dead_letter,
    describe_body,
    is_sendable,
    portions,
    read_answer,
)
from connbeat.outputs.elasticsearch.cluster import Answer, Cluster
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.failover import Failover
from connbeat.telemetry.log import RateLimited

_log = logging.getLogger(__name__)

# A request beyond this helps nobody: Elasticsearch advises 5 to 15 MB, and refuses 100.
_MOST_BYTES = 10 * 1024 * 1024
_TOO_LARGE = 413
_TOO_MANY_REQUESTS = 429

Portion = Sequence[Action]


class BulkLane:
    """At most one connection to each host. One thread at a time uses it."""

    def __init__(self, config: ElasticsearchConfig, hosts: Failover[Cluster], clock: Clock) -> None:
        """Raises ValueError for rules that are none."""
        self._hosts = hosts
        self._query = {**config.query, "filter_path": FILTER_PATH}
        self._index = Selector.parse(config.indices, "index", config.chosen_index)
        self._pipeline = Selector.parse(config.pipelines, "pipeline", config.pipeline)
        self._dead_letters = Target(config.dead_letter_index) if config.dead_letter_index else None
        self._encoder = Encoder()
        self._most_bytes = _MOST_BYTES
        self._lines = RateLimited(_log, clock)

    def open(self) -> None:
        """Raises Transient if no host can be reached."""
        self._hosts.connection()

    def send(self, events: tuple[Event, ...]) -> Outcome:
        """Raises Transient if nothing arrived and nothing is the events' own fault."""
        ledger = _Ledger()
        waiting = deque(portions(self._actions(events, ledger), self._most_bytes))
        while waiting:
            portion = waiting.popleft()
            try:
                answer = self._request(portion)
                self._settle(portion, answer, waiting, ledger)
            except Transient as error:
                ledger.later((portion, *waiting), error)
                break
        if self._dead_letters is not None and ledger.refused:
            self._bury(self._dead_letters, ledger)
        return self._outcome(ledger)

    def close(self) -> None:
        self._hosts.close()

    def _actions(self, events: tuple[Event, ...], ledger: "_Ledger") -> list[Action]:
        return [action for event in events if (action := self._action(event, ledger))]

    def _action(self, event: Event, ledger: "_Ledger") -> Action | None:
        if not is_sendable(event):
            ledger.drop(event, MALFORMED, "the body is no JSON object on one line")
            return None
        try:
            target = Target(self._index.select(event).lower(), self._pipeline_of(event))
        except MissingField as error:
            ledger.drop(event, NO_INDEX, f"the index is named after {error}, which is not there")
            return None
        if not target.index:
            ledger.drop(event, NO_INDEX, "the name of the index is empty")
            return None
        return self._encoder.action(event, target)

    def _pipeline_of(self, event: Event) -> str:
        try:
            return self._pipeline.select(event).lower()
        except MissingField:
            return ""

    def _settle(
        self, portion: Portion, answer: Answer, waiting: deque[Portion], ledger: "_Ledger"
    ) -> None:
        """What the answer says, into the ledger. Raises Transient if it says nothing."""
        if answer.is_success:
            ledger.answered(portion, answer)
            self._hosts.worked()
        elif answer.status != _TOO_LARGE:
            text = describe_body(answer.status, answer.body)
            raise Transient(f"the cluster answers {text}", answer.retry_after_seconds)
        elif len(portion) == 1:
            ledger.drop(portion[0].event, TOO_LARGE, describe_body(_TOO_LARGE, answer.body))
        else:
            half = len(portion) // 2
            waiting.extendleft((portion[half:], portion[:half]))
            self._most_bytes = min(self._most_bytes, sum(len(one.lines) for one in portion) // 2)

    def _request(self, portion: Portion) -> Answer:
        """One that is overloaded keeps its connection: others are no better off."""
        cluster = self._hosts.connection()
        try:
            answer = cluster.request("POST", "/_bulk", query=self._query, body=body_of(portion))
        except Transient as error:
            raise Transient(f"{self._hosts.failed()}: {error}", error.after_seconds) from error
        if not answer.is_success and answer.status not in (_TOO_LARGE, _TOO_MANY_REQUESTS):
            self._hosts.failed()
        return answer

    def _bury(self, target: Target, ledger: "_Ledger") -> None:
        """What was refused, into the dead letter index; what fails there now is tried again."""
        refused = ledger.take_refused()
        actions = [self._encoder.action(dead_letter(drop), target) for drop in refused]
        buried = _Ledger()
        for portion in portions(actions, self._most_bytes):
            try:
                answer = self._request(portion)
                self._settle(portion, answer, deque(), buried)
            except Transient as error:
                buried.later((portion,), error)
        ledger.buried(refused, buried)

    def _outcome(self, ledger: "_Ledger") -> Outcome:
        outcome = ledger.outcome()
        if not outcome.retry:
            return outcome
        if not outcome.delivered and not outcome.dropped:
            raise Transient(ledger.trouble, outcome.retry_after_seconds)
        self._lines.warning(
            "Elasticsearch did not take some of the events now; they are sent again. retry=%d"
            " error=%s",
            len(outcome.retry),
            ledger.trouble,
        )
        return outcome


class _Ledger:
    """What became of the events of one batch so far."""

    def __init__(self) -> None:
        self.delivered: list[Event] = []
        self.retry: list[Event] = []
        self.dropped: list[Drop] = []
        self.refused: list[Drop] = []
        self.trouble = ""
        self._after_seconds = 0.0

    def answered(self, portion: Portion, answer: Answer) -> None:
        """Raises Transient if it is no answer to a bulk request."""
        found = read_answer([action.event for action in portion], answer.body)
        self.delivered += found.outcome.delivered
        self.retry += found.outcome.retry
        self.refused += found.outcome.dropped
        self._note(found.trouble, found.outcome.retry_after_seconds)

    def later(self, portions_left: Sequence[Portion], error: Transient) -> None:
        self.retry += [action.event for portion in portions_left for action in portion]
        self._note(str(error), error.after_seconds)

    def drop(self, event: Event, reason: str, detail: str) -> None:
        self.dropped.append(Drop(event, reason, detail))

    def take_refused(self) -> list[Drop]:
        refused, self.refused = self.refused, []
        return refused

    def buried(self, refused: Sequence[Drop], found: "_Ledger") -> None:
        """`found` tells of letters that have the ids of the refused events."""
        taken = {letter.id for letter in found.delivered}
        again = {letter.id for letter in found.retry}
        for drop in refused:
            if drop.event.id in again:
                self.retry.append(drop.event)
            elif drop.event.id in taken:
                self.dropped.append(msgspec.structs.replace(drop, reason=IN_DEAD_LETTER_INDEX))
            else:
                self.dropped.append(drop)
        self._note(found.trouble, 0.0)

    def outcome(self) -> Outcome:
        return Outcome(
            delivered=tuple(self.delivered),
            retry=tuple(self.retry),
            dropped=(*self.dropped, *self.refused),
            retry_after_seconds=self._after_seconds,
        )

    def _note(self, trouble: str, after_seconds: float) -> None:
        self.trouble = self.trouble or trouble
        self._after_seconds = max(self._after_seconds, after_seconds)
