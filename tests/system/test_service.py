"""The service: what its sandbox forbids, and that it reaches every rung all the same.

Not an imitation: systemd itself starts the package's own unit (see `service_manager`).
"""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from connbeat.cli.doctor import Diagnosis
from tests.system.harness import Netns, call
from tests.system.packages import Packages
from tests.system.service_manager import ServiceManager, unpack_deb
from tests.system.unprivileged import NOBODY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "packages/connbeat.service"
OWN_USER = ROOT / "packages/own-user.conf"

#: Settings that make the unit look once.
DOCTOR = (
    "Type=oneshot",
    "WatchdogSec=0",
    "ExecStart=",
    "ExecStart=/usr/bin/connbeat doctor --json -c /etc/connbeat/connbeat.yml",
)
CAPABILITIES = (
    "CAP_DAC_READ_SEARCH",
    "CAP_NET_ADMIN",
    "CAP_NET_BROADCAST",
    "CAP_SYS_ADMIN",
    "CAP_SYS_PTRACE",
)


def test_its_exposure_is_at_most_what_was_asked_for(tmp_path: Path) -> None:
    units = tmp_path / "etc/systemd/system"
    drop_in = units / f"{UNIT.name}.d" / OWN_USER.name
    drop_in.parent.mkdir(parents=True)
    (units / UNIT.name).write_text(UNIT.read_text())
    as_root = exposure(tmp_path)
    drop_in.write_text(OWN_USER.read_text())
    assert exposure(tmp_path) < as_root <= 3.5


def exposure(root: Path) -> float:
    command = ("systemd-analyze", "security", "--offline=yes", f"--root={root}", UNIT.name)
    found = re.search(r"Overall exposure level for connbeat.service: ([0-9.]+)", call(*command))
    assert found is not None
    return float(found[1])


@pytest.fixture(scope="module")
def manager(
    packages: Packages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceManager]:
    """Knows `connbeat`, the service, and one that looks once for each way of having less."""
    folder = tmp_path_factory.mktemp("service")
    folder.chmod(0o755)
    package = unpack_deb(packages.deb, folder / "package")
    with ServiceManager(package, folder / "manager") as started:
        started.add("connbeat")
        started.add("with-all", *DOCTOR)
        for name in CAPABILITIES:
            started.add(f"without-{name}", *DOCTOR, f"CapabilityBoundingSet=~{name}")
        started.add("own-user", *DOCTOR, *own_user())
        started.systemctl("daemon-reload")
        yield started


def own_user() -> list[str]:
    """The example drop-in's settings, with a user that every machine has."""
    lines = [line for line in OWN_USER.read_text().splitlines() if "=" in line and line[0] != "#"]
    names = {"User": str(NOBODY), "Group": str(NOBODY)}
    settings = dict(line.split("=", 1) for line in lines)
    return [f"{name}={names.get(name, value)}" for name, value in settings.items()]


def test_systemd_understands_every_line_of_the_unit(manager: ServiceManager) -> None:
    complaints = re.findall(r"connbeat\.service:\d+: .*", manager.own_log())
    assert complaints == []


# What each capability gives


@pytest.fixture(scope="module")
def other() -> Iterator[Netns]:
    """Another namespace, with a process of another user."""
    namespace = Netns("connbeat-test-service")
    nobody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    process = namespace.start(*nobody, "sleep", "600")
    yield namespace
    process.kill()
    process.communicate()
    namespace.close()


def diagnosis(manager: ServiceManager, name: str) -> Diagnosis:
    manager.systemctl("start", f"{name}.service")
    return msgspec.json.decode(manager.output(name), type=Diagnosis)


def test_the_service_lacks_nothing(manager: ServiceManager, other: Netns) -> None:
    found = diagnosis(manager, "with-all")
    print(found, manager.log("with-all"))
    for name in [f"without-{name}" for name in CAPABILITIES] + ["own-user"]:
        print(name, diagnosis(manager, name), manager.log(name))
    assert 0
