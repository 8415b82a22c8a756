from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connbeat.cli.health import run
from connbeat.cli.options import Options, PathOverrides
from connbeat.clock import SystemClock
from connbeat.telemetry.http_message import Response
from connbeat.telemetry.listening import ListenAddress
from connbeat.telemetry.metrics import Metrics
from connbeat.telemetry.server import HttpServer


def options(folder: Path, *overrides: str, ready: bool = False) -> Options:
    """Those of a place where no connbeat.yml is."""
    return Options(
        command="health",
        overrides=overrides,
        paths=PathOverrides(config=str(folder)),
        ready=ready,
    )


def at_socket(folder: Path, *, ready: bool = False) -> Options:
    return options(folder, "http.enabled=true", f"http.host=unix://{folder}/c.sock", ready=ready)


@contextmanager
def agent(folder: Path) -> Iterator[None]:
    """An agent that lives and whose output is away."""
    routes = {
        "/healthz": lambda _: Response(b'{"status":"alive"}\n'),
        "/readyz": lambda _: Response(b'{"status":"not_ready"}\n', 503),
    }
    address = ListenAddress("", 0, f"{folder}/c.sock")
    server = HttpServer(address, routes, Metrics(), SystemClock())
    server.open()
    server.start()
    yield
    server.close()


def test_an_agent_that_lives_is_well_and_one_that_is_not_ready_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with agent(tmp_path):
        assert run(at_socket(tmp_path)) == 0
        assert capsys.readouterr().out == '{"status":"alive"}\n'
        assert run(at_socket(tmp_path, ready=True)) == 1
        assert capsys.readouterr().out == '{"status":"not_ready"}\n'


def test_where_nobody_answers_nobody_lives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(at_socket(tmp_path)) == 1
    assert "c.sock/healthz: FileNotFoundError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("overrides", "said"),
    [((), "http.enabled is false"), (("http.port=0",), "http.port")],
)
def test_what_cannot_be_asked_is_not_well_either_and_the_exit_code_never_2(
    tmp_path: Path, overrides: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(options(tmp_path, *overrides)) == 1
    assert said in capsys.readouterr().err
