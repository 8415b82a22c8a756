import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from connbeat.agent import build
from connbeat.agent.build import build_documents, build_identity, build_observation, capture_policy
from connbeat.capture.ladder import Rung
from connbeat.clock import SystemClock
from connbeat.config.schema import (
    Capture,
    ConnbeatConfig,
    Settings,
)
from connbeat.telemetry.metrics import Metrics
from tests.builders import HOST_NETNS, connection_report, process

#: Nothing here asks a resolver.
ENVIRON = {"DOCKERHOST_HOSTNAME": "dh", "DOCKERHOST_IP": "127.0.1.1"}


@pytest.mark.parametrize(
    ("capture", "tcp_diag", "highest"),
    [
        ("auto", None, max(Rung)),
        ("auto", True, max(Rung)),
        ("auto", False, Rung.PROCFS),
        ("procfs", None, Rung.PROCFS),
        ("procfs", True, Rung.PROCFS),
        ("dump", None, Rung.DUMP),
        ("dump", False, Rung.DUMP),
        ("closes", None, Rung.CLOSES),
        ("transitions", None, Rung.TRANSITIONS),
        ("nat", None, Rung.NAT),
    ],
)
def test_the_ladder_is_as_high_as_the_new_switch_says_and_then_the_old_one(
    capture: Capture, tcp_diag: bool | None, highest: Rung
) -> None:
    config = ConnbeatConfig(capture=capture, enable_tcp_diag=tcp_diag)
    assert capture_policy(Settings(connbeat=config), {}).highest is highest


@pytest.fixture
def booted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("0123456789abcdef\n")
    monkeypatch.setattr(build, "_BOOT_ID", boot_id)


@pytest.mark.parametrize(
    ("capture", "is_look", "heights"),
    [
        ("auto", False, (Rung.NAT, Rung.NAT)),
        ("auto", True, (Rung.DUMP, Rung.NAT)),
        ("procfs", True, (Rung.PROCFS, Rung.PROCFS)),
    ],
)
@pytest.mark.usefixtures("booted")
def test_for_a_look_the_kernel_is_asked_about_translations_and_not_to_tell_what_happens(
    capture: Capture, is_look: bool, heights: tuple[Rung, Rung]
) -> None:
    settings = Settings(connbeat=ConnbeatConfig(capture=capture))
    made = build_observation(settings, ENVIRON, SystemClock(), Metrics(), is_look=is_look)
    assert (made.observer._kernel._highest, made.observer._nat._highest) == heights


def test_tables_can_be_read_from_files_instead() -> None:
    environ = {"PROC_NET_TCP": "/host/tcp", "PROC_NET_TCP6": ""}
    assert capture_policy(Settings(), environ).table_files == (Path("/host/tcp"), None)
    assert capture_policy(Settings(), {}).table_files == (None, None)


def document(settings: Settings) -> dict[str, object]:
    builder = build_documents(settings, ENVIRON, build_identity(settings))
    builder.begin(HOST_NETNS, 0, 0)
    owner = process(1, "app", "--password", "x", environ=("A=b",))
    found: dict[str, object] = json.loads(
        msgspec.json.encode(builder.build(connection_report(owner=owner)))
    )
    return found


def test_documents_are_as_the_settings_say() -> None:
    config = ConnbeatConfig(expose_cmdline=False, expose_environ=True)
    found = document(Settings(name="edge-1", tags=("t",), fields={"dc": "a"}, connbeat=config))
    beat, shown = found["beat"], found["local_process"]
    assert isinstance(beat, dict)
    assert isinstance(shown, dict)
    assert beat["name"] == "edge-1"
    assert (found["tags"], found["fields"]) == (["t"], {"dc": "a"})
    assert (shown["cmdline"], shown["environ"]) == ("", ["A=b"])


def test_without_a_name_the_host_s_name_stands_for_it() -> None:
    beat = document(Settings())["beat"]
    assert isinstance(beat, dict)
    assert beat["name"] == beat["hostname"] != ""


@pytest.mark.usefixtures("booted")
def test_documents_are_in_the_chosen_schema() -> None:
    settings = Settings(name="edge-1", schema="ecs", fields={"dc": "a"})
    found = document(settings)
    shown, agent = found["process"], found["agent"]
    assert isinstance(shown, dict)
    assert isinstance(agent, dict)
    assert shown["args"] == ["app", "--password", "xxxxx"]
    assert shown["entity_id"] == "0123456789abcdef-1-64"
    assert (agent["name"], found["labels"]) == ("edge-1", {"dc": "a"})
    again = document(settings)["agent"]
    assert isinstance(again, dict)
    assert again["id"] == agent["id"] == build_identity(settings).uuid
    assert again["ephemeral_id"] != agent["ephemeral_id"]


def test_who_wants_no_ecs_does_not_load_it() -> None:
    program = (
        "import sys; from connbeat.agent.build import build_documents, build_identity;"
        "from connbeat.config.schema import Settings;"
        f"build_documents(Settings(), {ENVIRON!r}, build_identity(Settings()));"
        "sys.exit(any('.ecs' in name for name in sys.modules if name.startswith('connbeat')))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_redaction_can_be_switched_off() -> None:
    shown = document(Settings(connbeat=ConnbeatConfig(redact=False)))["local_process"]
    assert isinstance(shown, dict)
    assert shown["cmdline"] == "app --password x"
