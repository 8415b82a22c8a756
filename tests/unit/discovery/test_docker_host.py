import logging
import socket
import subprocess
import sys

import pytest

from connbeat.discovery.docker_host import read_docker_host, resolve
from connbeat.model.containers import DockerHost


def unresolvable(_: str) -> list[str]:
    raise socket.gaierror("Name or service not known")


def test_the_variables_count_first() -> None:
    environ = {"DOCKERHOST_HOSTNAME": "dh", "DOCKERHOST_IP": "192.0.2.1"}
    assert read_docker_host(environ, "engine", unresolvable) == DockerHost("dh", ("192.0.2.1",))


def test_then_the_name_the_engine_gives() -> None:
    host = read_docker_host({}, "engine", lambda name: {"engine": ["127.0.1.1"]}[name])
    assert host == DockerHost("engine", ("127.0.1.1",))


def test_then_our_own_name() -> None:
    assert read_docker_host({}, "", lambda _: []).hostname == socket.gethostname()


def test_one_address_is_reported_as_the_original_did() -> None:
    host = read_docker_host({}, "engine", lambda _: ["127.0.1.1", "10.0.0.1"])
    assert host.ips == ("127.0.1.1",)


def test_a_name_without_address_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    assert read_docker_host({}, "engine", unresolvable) == DockerHost("engine", ())
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "hostname=engine" in caplog.text


def test_an_address_that_is_none_is_left_out() -> None:
    environ = {"DOCKERHOST_HOSTNAME": "dh", "DOCKERHOST_IP": "nonsense"}
    assert read_docker_host(environ) == DockerHost("dh", ())


def test_a_name_that_no_resolver_takes_is_a_name_without_address() -> None:
    def refuse(name: str) -> list[str]:
        name.encode("idna")
        return []

    assert read_docker_host({}, "a" * 300, refuse).ips == ()


def test_ipv4_comes_before_ipv6() -> None:
    found = resolve("localhost")
    assert found[0] == "127.0.0.1"


def test_a_plain_name_is_found_without_the_tables_of_international_ones() -> None:
    program = (
        "import sys; from connbeat.discovery.docker_host import resolve;"
        "found = resolve('localhost'); sys.exit('stringprep' in sys.modules or not found)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
