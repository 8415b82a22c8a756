"""A cluster that follows the rules of bulk requests, and breaks them where a test says so."""

from collections import deque
from collections.abc import Callable, Mapping

import msgspec

from connbeat.errors import Transient
from connbeat.outputs.elasticsearch.cluster import Answer

ROOT = b'{"cluster_name":"test","version":{"number":"8.19.0"}}'


class Request(msgspec.Struct, frozen=True):
    """What was asked."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes


class FakeCluster:
    """A `Cluster`. Keeps documents by index and id, and refuses what `refuses` says.

    `answers` are used up first, one a request; an exception among them is raised. `places` are the
    answers of paths other than `_bulk` and `/`, by method and path; 404 for the rest. A request of
    more than `most_bytes` gets 413.
    """

    def __init__(self, *answers: Answer | Exception, root: bytes = ROOT) -> None:
        self.answers = deque(answers)
        self.requests: list[Request] = []
        self.documents: dict[tuple[str, str], bytes] = {}
        self.places: dict[tuple[str, str], Answer] = {}
        self.refuses: Callable[[str, bytes], tuple[int, str] | None] = lambda _index, _body: None
        self.most_bytes = 1 << 30
        self.root = root
        self.closed = 0

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        self.requests.append(Request(method, path, query or {}, body or b""))
        if self.answers:
            answer = self.answers.popleft()
            if isinstance(answer, Exception):
                raise answer
            return answer
        if path == "/_bulk":
            return self._bulk(body or b"")
        if path == "/":
            return Answer(200, self.root)
        return self.places.get((method, path), Answer(404, b'{"error":"no such thing"}'))

    def is_usable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed += 1

    def bulks(self) -> list[Request]:
        return [request for request in self.requests if request.path == "/_bulk"]

    def _bulk(self, body: bytes) -> Answer:
        if len(body) > self.most_bytes:
            return Answer(413, b"")
        lines = body.splitlines()
        items = [self._create(*lines[at : at + 2]) for at in range(0, len(lines), 2)]
        return Answer(200, msgspec.json.encode({"items": items}))

    def _create(self, action: bytes, source: bytes) -> dict[str, object]:
        meta = msgspec.json.decode(action)["create"]
        place = (meta["_index"], meta["_id"])
        refusal = self.refuses(meta["_index"], source)
        if refusal is not None:
            status, reason = refusal
            error = {"type": "refusal", "reason": reason}
            return {"create": {"_id": meta["_id"], "status": status, "error": error}}
        status = 409 if place in self.documents else 201
        self.documents.setdefault(place, source)
        return {"create": {"_id": meta["_id"], "status": status}}


def no_answer() -> Transient:
    return Transient("no answer within 1 s")
