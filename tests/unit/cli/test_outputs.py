import json
from pathlib import Path

import pytest

from connbeat.cli.options import Options, PathOverrides
from connbeat.cli.outputs import Line, render, run


def options(tmp_path: Path, *overrides: str, as_json: bool = False) -> Options:
    """Those of a place where no connbeat.yml is."""
    return Options(
        command="test output",
        overrides=overrides,
        paths=PathOverrides(config=str(tmp_path)),
        as_json=as_json,
    )


def test_what_works_is_said_step_by_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(options(tmp_path, f"output.file.path={tmp_path}")) == 0
    assert capsys.readouterr().out == f"output.file\n  write    {tmp_path}/connbeat  ok\n"


def test_one_failed_step_is_a_failure_and_the_other_outputs_are_tried_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    overrides = (
        f"output.file.path={tmp_path}/file/x",
        "output.http.hosts=127.0.0.1:1",
        "output.console.enabled=true",
    )
    assert run(options(tmp_path, *overrides)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("FAILED: ")[1] for line in lines if "FAILED" in line] == [
        f"cannot write to {tmp_path}/file/x/connbeat: Not a directory",
        "Connection refused",
    ]
    assert [line for line in lines if line.startswith("output.")] == [
        "output.console",
        "output.file",
        "output.http",
    ]


def test_machines_get_a_line_of_json_a_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(options(tmp_path, f"output.file.path={tmp_path}", as_json=True)) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {
            "output": "file",
            "step": "write",
            "target": f"{tmp_path}/connbeat",
            "ok": True,
            "error": "",
            "detail": "",
        }
    ]


def test_what_a_server_says_cannot_break_a_line() -> None:
    line = Line("x", "talk", "h", ok=False, error="a\nb\x1b[31m", detail="")
    assert render(line) == "  talk     h  FAILED: a\\nb\\x1b[31m"
