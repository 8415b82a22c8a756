"""A collector for compose/http.yml: takes events by POST, one a line, and prints a line each."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PORT = 8088


class Collector(BaseHTTPRequestHandler):
    """Answers 200 once the events are printed; the agent takes anything else for a refusal."""

    protocol_version = "HTTP/1.1"  # one connection for all requests

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for line in body.splitlines():
            print(told(json.loads(line)), flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Standard output is for events."""


def told(event: dict[str, Any]) -> str:
    """`web/nginx 172.18.0.2:41234 -> 172.18.0.3:5432 opened`."""
    who = "/".join(
        name
        for name in (event.get("container", {}).get("name"), event["local_process"]["binary"])
        if name
    )
    if "remote_port" not in event:
        return f"{who} listens on {event['local_port']}"
    arrow = "<-" if event["connection"]["direction"] == "inbound" else "->"
    local, remote = (f"{event[f'{end}_ip']}:{event[f'{end}_port']}" for end in ("local", "remote"))
    return f"{who} {local} {arrow} {remote} {event['connection']['event']}"


if __name__ == "__main__":
    ThreadingHTTPServer(("", PORT), Collector).serve_forever()
