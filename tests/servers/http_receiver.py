"""An HTTP server that is a program: what it answered with 200 stands in its file before.

python tests/servers/http_receiver.py PORT FILE

A kill -9 at any moment leaves whole lines and perhaps a part of one. It takes single documents,
lines of them, and lists.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO


def main(port: int, path: Path) -> None:
    with path.open("ab", buffering=0) as file:
        _Server(("127.0.0.1", port), _handler(file)).serve_forever()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client was killed."""


def _handler(file: BinaryIO) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            body = self.rfile.read(size)
            if len(body) < size:
                return
            # Begins with a line feed: whatever a kill left of an earlier line ends there.
            file.write(b"\n" + b"\n".join(_documents(body)) + b"\n")
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's
            """Silence."""

    return Handler


def _documents(body: bytes) -> list[bytes]:
    if body.startswith(b"["):
        return [json.dumps(document).encode() for document in json.loads(body)]
    return body.splitlines()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
