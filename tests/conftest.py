"""What every test gets: the house rules of tests, kept by the machine.

* A unit test that reaches beyond loopback fails, and so does one that opens a kernel interface.
* An exception nobody caught in a thread fails the test (pytest's own, with `filterwarnings=error`).
* A test that cannot run here is skipped with its reason; where everything can be had (CI, or root
  on Debian, after `scripts/test-setup`) that skip is a failure, so that nothing goes untested.
"""

import functools
import ipaddress
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

TESTS = Path(__file__).parent

pytest_plugins = ["pytester"]

#: Seconds a test may take unless it says otherwise.
UNIT_TIMEOUT = 60
SYSTEM_TIMEOUT = 300

#: What system tests call; `scripts/test-setup` installs it.
SYSTEM_COMMANDS = ("busybox", "ip", "iptables", "nsenter", "ss", "unshare")

IN_CI = os.environ.get("CI", "") not in ("", "0", "false")

hypothesis.settings.register_profile("fast", max_examples=25, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True)
hypothesis.settings.register_profile("deep", max_examples=100_000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "fast"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        is_system = TESTS / "system" in item.path.parents
        if is_system:
            item.add_marker("system")
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SYSTEM_TIMEOUT if is_system else UNIT_TIMEOUT))


# What can be had here


@functools.cache
def missing_for_system() -> str:
    """Why system tests cannot run here, "" if they can."""
    if sys.platform != "linux":
        return "needs Linux"
    if os.geteuid() != 0:
        return "needs root, for network namespaces and other users' processes"
    absent = [command for command in SYSTEM_COMMANDS if shutil.which(command) is None]
    if absent:
        return f"needs {', '.join(absent)}: see scripts/test-setup"
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        return "needs CAP_SYS_ADMIN, to make network namespaces"
    return ""


@functools.cache
def missing_for_docker() -> str:
    """Why tests with containers cannot run here, "" if they can."""
    if shutil.which("docker") is None:
        return "needs docker: see scripts/test-setup"
    if subprocess.run(["docker", "version"], capture_output=True, check=False).returncode:
        return "needs a docker daemon that answers: see scripts/test-setup"
    return ""


def must_run_everything() -> bool:
    return IN_CI or (
        sys.platform == "linux" and os.geteuid() == 0 and Path("/etc/debian_version").exists()
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    wanted = {"system": missing_for_system, "docker": missing_for_docker}
    for marker, missing in wanted.items():
        if item.get_closest_marker(marker) and (reason := missing()):
            pytest.skip(f"{marker} test: {reason}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure; an expected failure, which pytest calls skipped too, stays."""
    if report.skipped and not hasattr(report, "wasxfail") and must_run_everything():
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason}\nEvery test must run here (CI, or root on Debian)."


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = len(terminalreporter.stats.get("skipped", ()))
    if skipped:
        terminalreporter.write_line(
            f"{skipped} tests did NOT run here; `make test` as root on Debian runs all.",
            yellow=True,
        )


# What a unit test may not do

_in_unit_test = False


def _refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook: sees what C code does through Python's socket module, too."""
    if not _in_unit_test or not event.startswith("socket."):
        return
    if event == "socket.__new__" and arguments[1] in _KERNEL_FAMILIES:
        raise AssertionError("a unit test opened a kernel interface (netlink or packet socket)")
    host = _host_of(event, arguments)
    if host is not None and not _is_loopback(host):
        raise AssertionError(f"a unit test wanted the network: {event} {host!r}")


_KERNEL_FAMILIES = {
    getattr(socket, name) for name in ("AF_NETLINK", "AF_PACKET") if hasattr(socket, name)
}


def _host_of(event: str, arguments: tuple[object, ...]) -> str | None:
    """The host the call wants to reach, None if it names none (AF_UNIX, say)."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        return address[0] if isinstance(address, tuple) and isinstance(address[0], str) else None
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
        if isinstance(host, bytes):
            return host.decode()
        return None if host is None else str(host)
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


sys.addaudithook(_refuse_network)


@pytest.fixture(autouse=True)
def _house_rules(request: pytest.FixtureRequest) -> Iterator[None]:
    global _in_unit_test  # noqa: PLW0603  an audit hook cannot be removed, only told to look away
    _in_unit_test = TESTS / "unit" in request.path.parents
    yield
    _in_unit_test = False
