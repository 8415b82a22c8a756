import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.discovery.inspect import container_of_event, parse_container, parse_listed
from connbeat.errors import DiscoveryError
from connbeat.model.containers import Container, PortBinding

ID = "0ca2e7481f6e230b1913ea8c08a2fb5481e5afc1101bbb4e52b1201ad7edb818"
OTHER = "d5b2d1b1a8bd6ff0a7e9b3a1b1a4dd2d6d3d8a5c1c0f1e2d3c4b5a69788796a5"

# Engine 20.10, `docker run -p 18080:80 -p 18081:81/udp --expose 99`, two networks; what we do not
# read is left out.
INSPECTED: dict[str, Any] = {
    "Id": ID,
    "Name": "/reverent_sinoussi",
    "Image": "sha256:52f5c3a0",
    "State": {
        "Status": "running",
        "Running": True,
        "Paused": False,
        "Restarting": False,
        "Pid": 4711,
    },
    "HostConfig": {"NetworkMode": "default"},
    "Config": {
        "Image": "nginx:1.25",
        "Env": ["PATH=/usr/bin", "FLAG"],
        "Labels": {"com.docker.compose.project": "x"},
    },
    "NetworkSettings": {
        "IPAddress": "172.17.0.2",
        "GlobalIPv6Address": "",
        "Ports": {
            "80/tcp": [
                {"HostIp": "0.0.0.0", "HostPort": "18080"},
                {"HostIp": "::", "HostPort": "18080"},
            ],
            "81/udp": [{"HostIp": "0.0.0.0", "HostPort": "18081"}],
            "99/tcp": None,
        },
        "Networks": {
            "back": {"IPAddress": "172.18.0.2", "GlobalIPv6Address": "fd00::2"},
            "bridge": {"IPAddress": "172.17.0.2", "GlobalIPv6Address": ""},
        },
    },
}


def changed(path: str, value: object) -> dict[str, Any]:
    """INSPECTED with one value replaced; the path's parts are joined by a dot."""
    copy: dict[str, Any] = json.loads(json.dumps(INSPECTED))
    *parents, last = path.split(".")
    place = copy
    for parent in parents:
        place = place[parent]
    place[last] = value
    return copy


def test_an_inspect_answer_becomes_a_container() -> None:
    assert parse_container(INSPECTED) == Container(
        id=ID,
        name="reverent_sinoussi",
        image="nginx:1.25",
        runtime="docker",
        environ=("PATH=/usr/bin", "FLAG"),
        labels={"com.docker.compose.project": "x"},
        local_ips=("172.18.0.2", "fd00::2", "172.17.0.2"),
        ports={
            "80": (PortBinding("0.0.0.0", "18080"), PortBinding("::", "18080")),
            "99": (),
        },
        init_pid=4711,
    )


def test_the_network_of_the_highest_priority_gives_the_first_address() -> None:
    networks = {
        "back": {"IPAddress": "172.18.0.2"},
        "front": {"IPAddress": "172.19.0.2", "GwPriority": 1},
    }
    container = parse_container(changed("NetworkSettings.Networks", networks))
    assert container.local_ips[0] == "172.19.0.2"


def test_an_engine_with_the_address_of_the_bridge_alone_gives_it() -> None:
    assert parse_container(changed("NetworkSettings.Networks", {})).local_ips == ("172.17.0.2",)


def test_a_container_on_the_network_of_the_host_says_so() -> None:
    container = parse_container(changed("HostConfig.NetworkMode", "host"))
    assert (container.is_host_network, container.shares_network_of) == (True, "")


def test_a_container_in_another_ones_network_names_it() -> None:
    container = parse_container(changed("HostConfig.NetworkMode", f"container:{OTHER}"))
    assert (container.is_host_network, container.shares_network_of) == (False, OTHER)


@pytest.mark.parametrize("mode", ["default", "bridge", "none", "back"])
def test_any_other_network_is_its_own(mode: str) -> None:
    container = parse_container(changed("HostConfig.NetworkMode", mode))
    assert (container.is_host_network, container.shares_network_of) == (False, "")


@pytest.mark.parametrize(
    ("state", "is_running"),
    [
        ({"Running": True, "Paused": True, "Pid": 7}, True),
        ({"Running": True, "Restarting": True, "Pid": 0}, False),
        ({"Running": False, "Pid": 7}, False),
        ({}, False),
    ],
)
def test_a_container_runs_if_it_has_processes(state: dict[str, object], is_running: bool) -> None:
    container = parse_container(changed("State", state))
    assert (container.is_running, container.init_pid) == (is_running, 7 if is_running else 0)


def test_an_image_without_a_tag_is_known_by_its_digest() -> None:
    assert parse_container(changed("Config.Image", "")).image == "sha256:52f5c3a0"


def test_ports_of_other_protocols_and_bindings_without_a_port_are_left_out() -> None:
    ports = {
        "80/tcp": [{"HostIp": "", "HostPort": ""}, {"HostIp": "10.0.0.1", "HostPort": "8080"}, 3],
        "80/udp": [{"HostIp": "0.0.0.0", "HostPort": "9999"}],
        "nonsense/tcp": [{"HostIp": "0.0.0.0", "HostPort": "1"}],
    }
    container = parse_container(changed("NetworkSettings.Ports", ports))
    assert container.ports == {"80": (PortBinding("10.0.0.1", "8080"),)}


def test_an_address_that_is_none_is_left_out() -> None:
    networks = {"back": {"IPAddress": "not an address", "GlobalIPv6Address": 7}}
    container = parse_container(changed("NetworkSettings.Networks", networks))
    assert container.local_ips == ("172.17.0.2",)


def test_only_the_id_is_needed() -> None:
    assert parse_container({"Id": ID}) == Container(id=ID, runtime="docker", is_running=False)
    assert parse_listed({"Id": ID}) == Container(id=ID, runtime="docker", is_running=False)


@pytest.mark.parametrize("raw", [None, [], "x", {}, {"Id": ""}, {"Id": 5}])
def test_a_description_without_an_id_is_refused(raw: object) -> None:
    for parse in (parse_container, parse_listed):
        with pytest.raises(DiscoveryError):
            parse(raw)


def test_an_item_of_the_list_has_what_inspect_may_not_tell_any_more() -> None:
    item = {
        "Id": ID,
        "Names": ["/web/db", "/db"],
        "Image": "postgres",
        "Labels": {"a": "b"},
        "State": "running",
        "NetworkSettings": {"Networks": {"bridge": {"IPAddress": "172.17.0.9"}}},
    }
    assert parse_listed(item) == Container(
        id=ID,
        name="db",
        image="postgres",
        runtime="docker",
        labels={"a": "b"},
        local_ips=("172.17.0.9",),
    )


def test_an_event_tells_name_image_and_labels() -> None:
    attributes = {"name": "web", "image": "nginx", "exitCode": "137", "tier": "front"}
    assert container_of_event(ID, attributes) == Container(
        id=ID,
        name="web",
        image="nginx",
        runtime="docker",
        labels={"tier": "front"},
        is_running=False,
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
PATHS = [
    f"{parent}{key}"
    for parent, keys in {
        "": INSPECTED,
        "Config.": INSPECTED["Config"],
        "State.": INSPECTED["State"],
        "HostConfig.": INSPECTED["HostConfig"],
        "NetworkSettings.": INSPECTED["NetworkSettings"],
        "NetworkSettings.Networks.": {"back": None, "other": None},
        "NetworkSettings.Ports.": {"80/tcp": None, "7": None},
    }.items()
    for key in keys
]


@given(st.sampled_from(PATHS), JSON)
def test_no_value_anywhere_makes_it_raise_another_error(path: str, value: object) -> None:
    try:
        container = parse_container(changed(path, value))
    except DiscoveryError:
        assert path == "Id"
    else:
        # Every field has the type that is declared for it.
        msgspec.convert(msgspec.to_builtins(container), Container)


@given(JSON)
def test_no_json_makes_any_description_raise_another_error(raw: object) -> None:
    for parse in (parse_container, parse_listed):
        try:
            parse(raw)
        except DiscoveryError:
            continue
