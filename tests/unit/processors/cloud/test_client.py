import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from connbeat.clock import SystemClock
from connbeat.processors.cloud.client import CloudProbe
from connbeat.processors.cloud.processor import CloudMetadataConfig
from tests.unit.processors.cloud.clouds import AWS, GCP


class MetadataServer:
    """Answers paths as its table says, everything else with 404."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = answers.get(self.path)
                body = (text or "nothing").encode()
                self.send_response(200 if text else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_PUT = do_GET  # noqa: N815  http.server's name

            def log_message(self, *_: Any) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def answers() -> dict[str, str]:
    return {}


@pytest.fixture
def server(answers: dict[str, str]) -> Iterator[MetadataServer]:
    one = MetadataServer(answers)
    yield one
    one.close()


def probed(host: str, caplog: pytest.LogCaptureFixture, **options: Any) -> CloudProbe:
    """One that has come to its end."""
    caplog.set_level("INFO")
    probe = CloudProbe(CloudMetadataConfig(host=host, **options), SystemClock())
    assert probe.facts() is None
    probe.start()
    pause = threading.Event()
    for _ in range(1000):
        if "cloud is known" in caplog.text or "No cloud answered" in caplog.text:
            return probe
        pause.wait(0.005)
    raise AssertionError("it did not come to an end")


def test_the_cloud_is_known_a_moment_after_the_start(
    answers: dict[str, str], server: MetadataServer, caplog: pytest.LogCaptureFixture
) -> None:
    answers.update(GCP)
    facts = probed(server.host, caplog).facts()
    assert facts is not None
    assert (facts["provider"], facts["region"]) == ("gcp", "us-east1")


def test_of_several_that_answer_the_first_of_the_list_counts(
    answers: dict[str, str], server: MetadataServer, caplog: pytest.LogCaptureFixture
) -> None:
    answers.update(AWS)  # its paths are OpenStack's as well
    facts = probed(server.host, caplog).facts()
    assert facts is not None
    assert facts["provider"] == "aws"


def test_where_nobody_answers_there_is_nothing(
    server: MetadataServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert probed(server.host, caplog).facts() is None
    caplog.clear()
    assert probed("127.0.0.1:1", caplog, providers=("ec2",)).facts() is None


def test_one_that_is_closed_before_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    probe = CloudProbe(CloudMetadataConfig(host="127.0.0.1:1"), SystemClock())
    probe.close()
    probe._run()
    assert "No cloud answered" not in caplog.text
