"""The rules of Elasticsearch over HTTP, for versions that cannot be started here and for TLS.

Media types, product header, login, templates and bulk requests are as in the version that is
named; there is no search. `tests/services/elasticsearch_node.py` is the real thing.
"""

import json
import re
import ssl
from typing import Any, Self

from tests.servers.http_server import Answer, HttpServer, Request

_VENDOR = re.compile(r"application/vnd\.elasticsearch\+(x-nd)?json\s*; ?compatible-with=(\d+)")
_WARNING = (
    '299 Elasticsearch-{version}-x "Elasticsearch built-in security features are not enabled"'
)


class ElasticsearchServer:
    """Keeps documents by index and id. `refuses`: another answer for everything, while it is set.

    `authorization` is the header that lets somebody in, "" for everybody.
    """

    def __init__(
        self,
        version: str = "8.19.0",
        *,
        authorization: str = "",
        tls: ssl.SSLContext | None = None,
        product: str = "Elasticsearch",
    ) -> None:
        self._version = version
        self._major = int(version.partition(".")[0])
        self._authorization = authorization
        self._product = product
        self.documents: dict[tuple[str, str], bytes] = {}
        self.templates: dict[str, Any] = {}
        self.seen: list[Request] = []
        self.refuses: Answer | None = None
        self._http = HttpServer(tls, judge=self._judge)
        self.port, self.address, self.url = self._http.port, self._http.address, self._http.url

    def bodies(self) -> list[bytes]:
        return list(self.documents.values())

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _judge(self, request: Request) -> Answer:
        self.seen.append(request)
        if self.refuses is not None:
            return self.refuses
        headers = {name.lower(): value for name, value in request.headers.items()}
        if self._authorization and headers.get("authorization") != self._authorization:
            return self._error(401, "security_exception", "missing authentication credentials")
        for name in ("accept", "content-type"):
            if (text := headers.get(name)) and not self._understands(text):
                return self._error(
                    400, "media_type_header_exception", f"Invalid media-type: {text}"
                )
        return self._route(request)

    def _understands(self, text: str) -> bool:
        """7.17 takes any version and ignores it; 8 and 9 take their own and the one before."""
        if text in ("application/json", "application/x-ndjson"):
            return True
        match = _VENDOR.fullmatch(text)
        return match is not None and (
            self._major < 8 or int(match[2]) in (self._major, self._major - 1)
        )

    def _route(self, request: Request) -> Answer:
        path = request.target.partition("?")[0]
        if path == "/":
            version = {"number": self._version}
            return self._json(200, {"cluster_name": "test", "version": version})
        if path == "/_bulk":
            return self._bulk(request.body)
        if path.startswith("/_index_template/"):
            return self._template(request, path.rpartition("/")[2])
        return self._error(400, "illegal_argument_exception", f"no handler found for uri [{path}]")

    def _template(self, request: Request, name: str) -> Answer:
        if request.method == "PUT":
            self.templates[name] = json.loads(request.body)
            return self._json(200, {"acknowledged": True})
        if name not in self.templates:
            return self._error(404, "resource_not_found_exception", f"no template [{name}]")
        found = {"name": name, "index_template": self.templates[name]}
        return self._json(200, {"index_templates": [found]})

    def _bulk(self, body: bytes) -> Answer:
        lines = body.splitlines()
        items = []
        for at in range(0, len(lines), 2):
            meta = json.loads(lines[at])["create"]
            place = (meta["_index"], meta["_id"])
            status = 409 if place in self.documents else 201
            self.documents.setdefault(place, lines[at + 1])
            items.append({"create": {"_id": meta["_id"], "status": status}})
        return self._json(200, {"items": items})

    def _error(self, status: int, kind: str, reason: str) -> Answer:
        return self._json(status, {"error": {"type": kind, "reason": reason}, "status": status})

    def _json(self, status: int, document: object) -> Answer:
        headers = {
            "content-type": "application/json",
            "warning": _WARNING.format(version=self._version),
        }
        if self._product:
            headers["X-elastic-product"] = self._product
        return Answer(status, json.dumps(document).encode(), headers)
