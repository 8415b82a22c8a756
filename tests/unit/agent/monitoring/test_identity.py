import uuid
from pathlib import Path

import pytest

from connbeat.agent.monitoring import identity
from connbeat.agent.monitoring.identity import Identity, identify


def made(hostname: str = "h1", path_data: str = "/data") -> Identity:
    return identify(name="n", hostname=hostname, version="1", path_data=path_data)


def test_the_uuid_survives_a_restart_and_the_ephemeral_one_does_not() -> None:
    first, second = made(), made()
    assert first.uuid == second.uuid
    assert first.ephemeral_id != second.ephemeral_id
    assert uuid.UUID(first.uuid).version == 5
    assert uuid.UUID(first.ephemeral_id).version == 4


def test_two_agents_of_a_machine_and_two_machines_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_id = tmp_path / "machine-id"
    monkeypatch.setattr(identity, "_MACHINE_ID", machine_id)
    without = [made(), made(hostname="h2"), made(path_data="/other")]
    machine_id.write_text("0123\n")
    first = made()
    machine_id.write_text("4567\n")
    assert len({one.uuid for one in (*without, first, made())}) == 5
    assert made().uuid == made(hostname="h2").uuid, "a host may be renamed"
    assert "4567" not in made().uuid
