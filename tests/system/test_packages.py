"""`make package`: the same bytes twice, and what installing, upgrading and removing them does."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import connbeat
from tests.system.harness import call
from tests.system.packages import (
    ROOT,
    DebianRoot,
    PackagedAgent,
    Packages,
    Talker,
    build_packages,
    pythons,
    unpack_debian,
)
from tests.system.unprivileged import NOBODY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

#: What the packages may leave behind: what somebody wrote, and the agent kept.
KEPT = {"etc/connbeat", "etc/connbeat/connbeat.yml", "var/lib/connbeat", "var/lib/connbeat/spool"}
KEPT |= {"var/lib/connbeat/spool/events"}
#: Which every system of rpm has, and the Debian of these tests has not.
OF_FILESYSTEM = {"usr/share/man/man1", "usr/share/bash-completion/completions"}

#: Every module of connbeat and every client library, as the launcher would load them.
IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import connbeat
for module in pkgutil.walk_packages(connbeat.__path__, "connbeat."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
import confluent_kafka, docker, elasticsearch, prometheus_client, psutil, redis, yaml
import cryptography.hazmat.primitives.ciphers.aead
import rich.live, rich.table
files = [getattr(module, "__file__", None) or "" for module in sys.modules.values()]
assert not [file for file in files if "-packages" in file], files
"""


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack_debian(tmp_path_factory.mktemp("debian"))


@pytest.fixture
def root(debian: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRoot]:
    with DebianRoot(debian, tmp_path_factory.mktemp("root")) as made:
        yield made


@pytest.fixture
def unpacked(packages: Packages) -> Iterator[Path]:
    """The tar.gz, where everybody may go; it is nobody's."""
    folder = Path(tempfile.mkdtemp(prefix="connbeat-test-"))
    folder.chmod(0o755)
    call("tar", "--extract", "--gzip", "--directory", str(folder), "--file", str(packages.archive))
    [top] = folder.iterdir()
    call("chown", "--recursive", f"{NOBODY}:{NOBODY}", str(top))
    yield top
    shutil.rmtree(folder)


def test_two_builds_of_one_commit_are_the_same_bytes(
    packages: Packages, tmp_path_factory: pytest.TempPathFactory
) -> None:
    again = build_packages(tmp_path_factory.mktemp("again"), umask=0o077, zone="Asia/Tokyo")
    assert (again / "SHA256SUMS").read_text() == (packages.dist / "SHA256SUMS").read_text()


def test_the_checksums_are_those_of_all_that_was_built(packages: Packages) -> None:
    lines = (packages.dist / "SHA256SUMS").read_text().splitlines()
    told = {name: digest for digest, name in (line.split("  ") for line in lines)}
    built = {path.name: path for path in packages.dist.iterdir() if path.name != "SHA256SUMS"}
    assert len(built) == 5
    assert told == {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in built.items()
    }


def test_they_need_python_and_nothing_else(packages: Packages) -> None:
    fields = call("dpkg-deb", "--field", str(packages.deb), "Depends", "Recommends")
    assert fields.splitlines() == [
        "Depends: python3 (>= 3.11), python3 (<< 3.14)",
        "Recommends: ca-certificates",
    ]
    required = call("rpm", "-qp", "--requires", str(packages.rpm)).splitlines()
    wanted = [it for it in required if not it.startswith("rpmlib(")]
    # Which python3.11 and python3.12 of RHEL provide as well as every python3 that is new enough.
    assert wanted == ["python(abi) >= 3.11"]


def test_every_module_loads_on_every_python_from_the_package_alone(unpacked: Path) -> None:
    for python in pythons():
        environ = ("env", f"CONNBEAT_PYTHON={python}")
        call(*environ, f"{unpacked}/python", "-B", "-c", IMPORT_ALL, f"{unpacked}/site")
        version = call(*environ, f"{unpacked}/connbeat", "version")
        assert version.startswith(f"connbeat {connbeat.__version__} ")


def test_without_a_python_it_can_use_it_says_which_it_needs(unpacked: Path, tmp_path: Path) -> None:
    for name in ("dirname", "readlink"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    result = subprocess.run(
        ["/bin/sh", f"{unpacked}/connbeat", "version"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "needs Python 3.11, 3.12 or 3.13" in result.stderr


# deb


def test_the_deb_runs_on_a_bare_debian_and_reports_its_connections(
    packages: Packages, root: DebianRoot, tmp_path: Path
) -> None:
    root.dpkg("--install", root.put(packages.deb))
    command = root.enter(["connbeat"], with_kernel=True)
    events = root.path / "var/log/connbeat/events.ndjson"
    with (
        PackagedAgent(tmp_path, command, events) as agent,
        Talker(*root.enter(["python3"], with_kernel=True)) as talker,
    ):
        [event] = agent.wait_for(talker.is_about, "the talker's connection")[:1]
    assert event["local_process"]["binary"].startswith("python3")
    assert "Traceback" not in agent.log()


def test_the_debs_files_are_roots_and_its_configuration_is_its_alone(
    packages: Packages, root: DebianRoot
) -> None:
    root.dpkg("--install", root.put(packages.deb))
    expected = {
        "etc/connbeat/connbeat.yml": "0:0 600",
        "var/lib/connbeat": "0:0 700",
        "var/log/connbeat": "0:0 750",
        "usr/lib/connbeat/site/connbeat/__init__.py": "0:0 644",
        "usr/lib/connbeat/connbeat": "0:0 755",
    }
    told = {path: call("stat", "-c", "%u:%g %a", str(root.path / path)) for path in expected}
    assert told == expected
    assert root.call("dpkg", "--verify", "connbeat") == ""
    assert root.call("connbeat", "test", "config") == "Config OK"


def test_an_upgrade_keeps_configuration_and_spool_and_leaves_no_old_module(
    packages: Packages, root: DebianRoot, tmp_path: Path
) -> None:
    root.dpkg("--install", root.put(packages.deb))
    write_something(root)
    old = root.files()
    root.dpkg("--install", root.put(packages.next_deb(tmp_path)))
    assert "# of mine" in root.read("etc/connbeat/connbeat.yml")
    assert root.read("var/lib/connbeat/spool/events") == "events"
    assert root.call("dpkg-query", "-W", "-f", "${Version}", "connbeat").endswith("-2")
    new = root.files()
    assert [path for path in new if "/connbeat/views" in path] == []
    assert len([path for path in new - old if "/connbeat/vistas" in path]) > 3


def test_removal_leaves_configuration_and_spool_and_purging_leaves_nothing(
    packages: Packages, root: DebianRoot
) -> None:
    before = root.files()
    root.dpkg("--install", root.put(packages.deb))
    write_something(root)
    root.dpkg("--remove", "connbeat")
    assert root.files() - before == KEPT
    assert before - root.files() == set()
    root.dpkg("--purge", "connbeat")
    assert root.files() == before


def write_something(root: DebianRoot) -> None:
    """As somebody and the agent would have: a setting, a spool, compiled modules."""
    with (root.path / "etc/connbeat/connbeat.yml").open("a") as config:
        config.write("# of mine\n")
    spool = root.path / "var/lib/connbeat/spool"
    spool.mkdir()
    (spool / "events").write_text("events")
    assert root.call("connbeat", "version")


# rpm


def test_the_rpms_files_modes_and_scripts_are_as_they_should(packages: Packages) -> None:
    form = (
        "[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILEFLAGS:fflags}\n]"
    )
    lines = call("rpm", "-qp", "--queryformat", form, str(packages.rpm)).splitlines()
    files = {line.split()[0]: line.split()[1:] for line in lines}
    assert files["/etc/connbeat/connbeat.yml"] == ["-rw-------", "root:root", "cn"]
    assert files["/var/lib/connbeat"] == ["drwx------", "root:root"]
    assert files["/usr/bin/connbeat"][0].startswith("l")
    # Directories that are other packages' are not claimed.
    assert not {"/usr", "/usr/bin", "/usr/lib", "/etc", "/var", "/var/lib"} & files.keys()
    scripts = call("rpm", "-qp", "--scripts", str(packages.rpm))
    for name in ("preuninstall", "postuninstall", "posttrans"):
        assert f"{name} scriptlet (using /bin/sh):" in scripts


def test_the_rpm_installs_upgrades_and_goes_and_keeps_what_is_not_its_own(
    packages: Packages, root: DebianRoot
) -> None:
    """Its scripts run in the root; what it requires is of another package manager there."""
    before = root.files()
    rpm = ["rpm", f"--root={root.path}", "--dbpath=/var/lib/rpm"]
    with_force = ["--nodeps", "--nosignature"]
    call(*rpm, *with_force, "--install", str(packages.rpm))
    write_something(root)
    assert root.call("connbeat", "test", "config") == "Config OK"
    call(*rpm, *with_force, "--upgrade", "--replacepkgs", str(packages.rpm))
    assert "# of mine" in root.read("etc/connbeat/connbeat.yml")
    assert root.read("var/lib/connbeat/spool/events") == "events"
    assert root.call("connbeat", "version")
    call(*rpm, "--erase", "connbeat")
    left = {path.replace(".rpmsave", "") for path in root.files() - before}
    assert left - OF_FILESYSTEM == KEPT


def test_the_rpm_runs_where_it_is_unpacked(packages: Packages, tmp_path: Path) -> None:
    unpack = 'rpm2cpio "$1" | cpio --extract --make-directories --quiet'
    subprocess.run(["sh", "-c", unpack, "sh", str(packages.rpm)], cwd=tmp_path, check=True)
    command = [str(tmp_path / "usr/bin/connbeat")]
    config = tmp_path / "etc/connbeat/connbeat.yml"
    options = ("-c", str(config), "-E", f"output.file.path={tmp_path}")
    assert call(*command, "test", "config", *options) == "Config OK"
    config.write_text(config.read_text().replace("/var/log/connbeat", str(tmp_path)))
    with (
        PackagedAgent(
            tmp_path, ["env", f"--chdir={config.parent}", *command], tmp_path / "events.ndjson"
        ) as agent,
        Talker("python3") as talker,
    ):
        agent.wait_for(talker.is_about, "the talker's connection")


# tar.gz


def test_the_archive_runs_as_an_ordinary_user_wherever_it_is_unpacked(
    unpacked: Path, tmp_path: Path
) -> None:
    as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    as_nobody += ["--bounding-set=-all", "--no-new-privs"]
    command = ["env", f"--chdir={unpacked}", *as_nobody, "./connbeat"]
    with (
        PackagedAgent(tmp_path, command, unpacked / "events/events.ndjson") as agent,
        Talker(*as_nobody, "python3") as talker,
    ):
        agent.wait_for(talker.is_about, "the talker's connection")


def test_the_archive_has_one_folder_and_nobodys_name(packages: Packages) -> None:
    with tarfile.open(packages.archive) as archive:
        members = archive.getmembers()
    assert {member.name.split("/")[0] for member in members} == {
        packages.archive.name.removesuffix(".tar.gz")
    }
    assert {(it.uid, it.gid, it.uname) for it in members} == {(0, 0, "")}


# A release


def test_what_is_no_release_is_refused_with_every_reason(tmp_path: Path) -> None:
    git = ("git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@localhost")
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/release", tmp_path / "scripts")
    (tmp_path / "connbeat").mkdir()
    version = tmp_path / "connbeat/__init__.py"
    version.write_text('__version__ = "1.2.0.dev0"\n')
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text("## [1.2.0]\n\n* Not dated.\n\n## [1.1.0] - 2026-01-01\n\n* Older.\n")
    call(*git, "init", "--quiet")
    assert release_faults(tmp_path) == [
        "There are changes that are not committed.",
        "1.2.0.dev0 is no version of a release: set __version__ in connbeat/__init__.py.",
        'CHANGELOG.md has no section "## [1.2.0.dev0] - YYYY-MM-DD" with what changed.',
    ]
    version.write_text('__version__ = "1.2.0"\n')
    call(*git, "add", ".")
    call(*git, "commit", "--quiet", "--message", "1.2.0")
    assert release_faults(tmp_path) == [
        'CHANGELOG.md has no section "## [1.2.0] - YYYY-MM-DD" with what changed.'
    ]
    changelog.write_text(changelog.read_text().replace("## [1.2.0]", "## [1.2.0] - 2026-02-01"))
    call(*git, "tag", "v1.2.0")
    call(*git, "commit", "--quiet", "--all", "--message", "dated")
    assert release_faults(tmp_path) == ["v1.2.0 is another commit already."]


def release_faults(folder: Path) -> list[str]:
    """What `scripts/release` has against a checkout; nothing is built."""
    (folder / ".git/info/exclude").write_text(".venv\n__pycache__\n")
    with contextlib.suppress(FileExistsError):
        (folder / ".venv").symlink_to(ROOT / ".venv")
    command = ["scripts/release", "--tested"]
    environ = {**os.environ, "PYTHONPATH": ""}
    result = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    return [line.removeprefix("release: ") for line in result.stderr.splitlines()]
