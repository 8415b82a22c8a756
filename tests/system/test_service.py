"""The service: what its sandbox forbids, and that it reaches every rung all the same.

Not an imitation: systemd itself starts the package's own unit (see `service_manager`).
"""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from connbeat.cli.doctor import Diagnosis
from tests.system.harness import Netns, call, wait_until
from tests.system.packages import Packages, Talker
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

WITHOUT_NET_ADMIN = "transitions (translations need CAP_NET_ADMIN)"

#: Prints where it can make a folder, and which namespaces it can make.
ATTEMPTS = """#!/bin/sh
for folder in / /etc /opt /run /usr /usr/lib/connbeat /var /var/lib /var/lib/connbeat \\
    /var/log/connbeat "$RUNTIME_DIRECTORY" /sys/kernel/tracing /sys/kernel/tracing/instances \\
    /sys/fs/cgroup; do
    mkdir "$folder/connbeat-test" 2>/dev/null && echo "$folder" && rmdir "$folder/connbeat-test"
done
for kind in cgroup ipc mount net pid user uts; do
    unshare "--$kind" true 2>/dev/null && echo "$kind"
done
true
"""


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
def other() -> Iterator[Netns]:
    """Another namespace, with a process of another user."""
    namespace = Netns("connbeat-test-service")
    nobody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    process = namespace.start(*nobody, "sleep", "600")
    yield namespace
    process.kill()
    process.communicate()
    namespace.close()


@pytest.fixture(scope="module")
def manager(
    packages: Packages, other: Netns, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceManager]:
    """Knows `connbeat`, the service, and one that looks once for each way of having less."""
    assert other.inode  # there before: without systemd as the first process, mounts do not follow
    folder = tmp_path_factory.mktemp("service")
    folder.chmod(0o755)
    package = unpack_deb(packages.deb, folder / "package")
    with ServiceManager(package, folder / "manager") as started:
        started.add("connbeat")
        started.add("with-all", *DOCTOR)
        for name in CAPABILITIES:
            started.add(f"without-{name}", *DOCTOR, f"CapabilityBoundingSet=~{name}")
        started.add("own-user", *DOCTOR, *own_user())
        attempts = package / "usr/lib/connbeat/attempts"
        attempts.write_text(ATTEMPTS)
        attempts.chmod(0o755)
        started.add("attempts", *DOCTOR[:-1], "ExecStart=/usr/lib/connbeat/attempts")
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


class Found(msgspec.Struct, frozen=True):
    """What doctor says of the machine's own namespace, of the other one, and what is missing."""

    own: str
    other: str
    missing: frozenset[str]


def look(manager: ServiceManager, name: str, other: Netns) -> Found:
    manager.systemctl("start", f"{name}.service")
    diagnosis = msgspec.json.decode(manager.output(name), type=Diagnosis)
    own = str(Path("/proc/self/ns/net").stat().st_ino)
    return Found(
        own=diagnosis.namespaces[own],
        other=diagnosis.namespaces[str(other.inode)],
        # A process that the kernel shows to nobody is the machine's business.
        missing=frozenset(it for it in diagnosis.missing if "refuses all the same" not in it),
    )


@pytest.fixture(scope="module")
def everything(manager: ServiceManager, other: Netns) -> Found:
    return look(manager, "with-all", other)


def test_the_service_reaches_the_highest_rung_everywhere(everything: Found) -> None:
    assert (everything.own, everything.other) == ("nat", "nat")


@pytest.mark.parametrize(
    ("capability", "rungs"),
    [
        ("CAP_DAC_READ_SEARCH", ("nat", "nat")),
        ("CAP_NET_ADMIN", (WITHOUT_NET_ADMIN, WITHOUT_NET_ADMIN)),
        ("CAP_SYS_ADMIN", ("nat", "procfs (setns needs CAP_SYS_ADMIN)")),
        ("CAP_SYS_PTRACE", ("nat", "nat")),
    ],
)
def test_a_capability_taken_away_costs_what_it_gave_says_so_and_nothing_else(
    manager: ServiceManager,
    other: Netns,
    everything: Found,
    capability: str,
    *,
    rungs: tuple[str, str],
) -> None:
    found = look(manager, f"without-{capability}", other)
    assert (found.own, found.other) == rungs
    [news] = found.missing - everything.missing
    assert capability in news


def test_without_broadcasts_it_listens_in_each_namespace_instead(
    manager: ServiceManager, other: Netns, everything: Found
) -> None:
    assert look(manager, "without-CAP_NET_BROADCAST", other) == everything


def test_as_a_user_of_its_own_it_has_all_but_tracing_and_says_so(
    manager: ServiceManager, other: Netns, everything: Found
) -> None:
    found = look(manager, "own-user", other)
    for standing in (found.own, found.other):
        assert re.fullmatch(
            r"closes \(the tracing instance \S+ needs root and CAP_SYS_ADMIN\)", standing
        )
    [news] = found.missing - everything.missing
    assert "root with CAP_SYS_ADMIN and tracefs" in news


# The service at work


def test_the_service_is_ready_reports_and_ends_and_leaves_no_trace_behind(
    manager: ServiceManager, tmp_path: Path
) -> None:
    manager.systemctl("start", "connbeat.service")  # until it says that it is ready
    pid = manager.show("connbeat", "MainPID")
    assert manager.show("connbeat", "StatusText")
    events = manager.logs / "events.ndjson"
    with Talker("python3") as talker:
        port = f'"remote_port":{talker.port},'
        wait_until(lambda: port in read(events), 15, "the talker's connection")
    manager.systemctl("reload", "connbeat.service")
    manager.systemctl("stop", "connbeat.service")
    assert manager.show("connbeat", "Result") == "success"
    assert manager.show("connbeat", "NRestarts") == "0"
    assert "Traceback" not in manager.log("connbeat")
    look_for_instances = 'mount -t tracefs tracefs "$0" && ls "$0/instances"'
    instances = call("unshare", "--mount", "sh", "-c", look_for_instances, str(tmp_path))
    assert [name for name in instances.split() if f"-{pid}-" in name] == []


def read(events: Path) -> str:
    return events.read_text() if events.exists() else ""


def test_it_writes_to_its_own_folders_and_enters_no_other_kind_of_namespace(
    manager: ServiceManager,
) -> None:
    manager.systemctl("start", "attempts.service")
    written = manager.output("attempts").replace(manager.runtime, "/run")
    assert written.split() == [
        "/var/lib/connbeat",
        "/var/log/connbeat",
        "/run/connbeat",
        "/sys/kernel/tracing/instances",
        "net",
    ]
