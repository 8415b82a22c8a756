"""The rules that tests/conftest.py keeps, tried on small suites that break them."""

from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"

pytestmark = pytest.mark.slow  # each starts a pytest of its own


@pytest.fixture(autouse=True)
def house(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.delenv("HYPOTHESIS_PROFILE", raising=False)
    pytester.makeini("[pytest]\nfilterwarnings = error\nmarkers =\n  system:\n  docker:\n")
    pytester.mkdir("tests")
    (pytester.path / "tests" / "conftest.py").write_text(CONFTEST.read_text())


def run(pytester: pytest.Pytester, folder: str, source: str) -> pytest.RunResult:
    path = pytester.path / "tests" / folder
    path.mkdir()
    (path / "test_it.py").write_text(source)
    return pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:cacheprovider")


def test_an_exception_in_a_thread_fails_the_test(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        "unit",
        """
import threading

def test_it():
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
""",
    )
    result.assert_outcomes(failed=1)


def test_a_unit_test_reaches_loopback_and_nothing_else(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        "unit",
        """
import socket

def test_loopback():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()

def test_address():
    with socket.socket() as sock:
        sock.settimeout(0.01)
        sock.connect(("192.0.2.1", 80))

def test_name():
    socket.getaddrinfo("example.org", 80)

def test_netlink():
    socket.socket(getattr(socket, "AF_NETLINK", -1), socket.SOCK_RAW)
""",
    )
    result.assert_outcomes(passed=1, failed=3)
    result.stdout.fnmatch_lines_random(
        ["*wanted the network: socket.connect '192.0.2.1'", "*wanted the network: *example.org*"]
    )


@pytest.mark.parametrize("folder", ["unit", "contract"])
def test_a_skip_fails_where_everything_must_run(pytester: pytest.Pytester, folder: str) -> None:
    result = run(
        pytester,
        folder,
        """
import pytest

def test_skipped():
    pytest.skip("no such thing here")

@pytest.mark.xfail(reason="known", strict=True)
def test_known_to_fail():
    assert False
""",
    )
    counts = result.parseoutcomes()
    assert (counts.get("failed"), counts.get("xfailed")) == (1, 1)
    assert "skipped" not in counts


def test_a_module_that_skips_itself_fails_where_everything_must_run(
    pytester: pytest.Pytester,
) -> None:
    result = run(
        pytester, "unit", "import pytest\npytest.importorskip('there_is_no_such_module')\n"
    )
    result.assert_outcomes(errors=1)
