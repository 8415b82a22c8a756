"""compose/elasticsearch/setup.sh, against servers that answer late."""

import base64
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "compose" / "elasticsearch" / "setup.sh"
Call = tuple[str, Any, str]


class Cluster:
    """Elasticsearch and Kibana in one: refuses as often as told, and keeps what it takes."""

    def __init__(self) -> None:
        self.refusals = 0
        self.taken: list[Call] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                cluster.refusals -= 1
                self.send_response(503 if cluster.refusals >= 0 else 200)
                self.end_headers()
                if cluster.refusals < 0:
                    user = base64.b64decode(self.headers["Authorization"].split()[1]).decode()
                    assert self.headers["kbn-xsrf"]
                    cluster.taken.append((self.path, json.loads(body), user))

            def log_message(self, *_: object) -> None:
                """Silence."""

        return Handler

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    if shutil.which("curl") is None:
        pytest.skip("needs curl: see scripts/test-setup")
    made = Cluster()
    yield made
    made.close()


def run(cluster: Cluster, **environ: str) -> subprocess.CompletedProcess[str]:
    secrets = {"ELASTIC_PASSWORD": "secret1", "KIBANA_PASSWORD": "secret2"}
    urls = {"ELASTICSEARCH": cluster.url, "KIBANA": cluster.url, "SETUP_WAIT": "0.1"}
    return subprocess.run(
        ["bash", SCRIPT],
        env={"PATH": os.environ["PATH"], **secrets, **urls, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_kibana_gets_its_password_and_its_view_of_the_events(cluster: Cluster) -> None:
    result = run(cluster)
    assert result.returncode == 0, result.stderr
    view = {
        "id": "connbeat",
        "name": "connbeat",
        "title": "connbeat-*",
        "timeFieldName": "@timestamp",
    }
    assert cluster.taken == [
        (
            "/_security/user/kibana_system/_password",
            {"password": "secret2"},
            "elastic:secret1",
        ),
        (
            "/api/data_views/data_view",
            {"override": True, "data_view": view},
            "elastic:secret1",
        ),
    ]
    assert "secret" not in result.stdout + result.stderr


def test_a_cluster_that_is_not_up_yet_is_waited_for(cluster: Cluster) -> None:
    cluster.refusals = 3
    assert run(cluster).returncode == 0
    assert len(cluster.taken) == 2


def test_it_gives_up_after_its_time(cluster: Cluster) -> None:
    cluster.refusals = 1000
    result = run(cluster, SETUP_SECONDS="0")
    assert result.returncode == 1
    assert "took nothing in time" in result.stderr
