import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.discovery.engine_events import (
    EVENT_FILTERS,
    EngineAction,
    EngineEvent,
    parse_event,
)

ID = "0ca2e7481f6e230b1913ea8c08a2fb5481e5afc1101bbb4e52b1201ad7edb818"


def test_a_container_event_keeps_its_attributes() -> None:
    raw = {
        "Type": "container",
        "Action": "rename",
        "Actor": {"ID": ID, "Attributes": {"name": "new", "oldName": "/old", "odd": 5}},
        "time": 1793527364,
    }
    assert parse_event(raw) == EngineEvent(
        EngineAction.RENAME, ID, {"name": "new", "oldName": "/old"}
    )


def test_a_network_event_is_about_the_container_in_its_attributes() -> None:
    raw = {
        "Type": "network",
        "Action": "connect",
        "Actor": {"ID": "447d80", "Attributes": {"container": ID, "name": "back"}},
    }
    assert parse_event(raw) == EngineEvent(EngineAction.CONNECT, ID)


@pytest.mark.parametrize(
    "raw",
    [
        {"Type": "container", "Action": "exec_create: sh", "Actor": {"ID": ID}},
        {"Type": "container", "Action": "health_status: healthy", "Actor": {"ID": ID}},
        {"Type": "container", "Action": "connect", "Actor": {"ID": ID}},
        {"Type": "network", "Action": "create", "Actor": {"ID": ID, "Attributes": {}}},
        {"Type": "network", "Action": "connect", "Actor": {"ID": ID, "Attributes": {}}},
        {"Type": "network", "Action": "die", "Actor": {"Attributes": {"container": ID}}},
        {"Type": "container", "Action": "start", "Actor": {"ID": ""}},
        {"Type": "container", "Action": "start", "Actor": None},
        {"Type": "container", "Action": ["start"], "Actor": {"ID": ID}},
        {"message": "page not found"},
        ["container"],
        None,
    ],
)
def test_everything_else_is_passed_over(raw: object) -> None:
    assert parse_event(raw) is None


def test_the_engine_is_asked_for_no_event_of_a_health_check() -> None:
    assert not any("exec" in name or "health" in name for name in EVENT_FILTERS["event"])


@given(
    st.fixed_dictionaries(
        {
            "Type": st.sampled_from(["container", "network", None, 1]),
            "Action": st.sampled_from([*EngineAction, None, {}]),
            "Actor": st.none()
            | st.dictionaries(
                st.sampled_from(["ID", "Attributes"]),
                st.text(max_size=3) | st.dictionaries(st.just("container"), st.text(max_size=3)),
            ),
        }
    )
)
def test_an_event_has_an_id_or_is_none(raw: object) -> None:
    event = parse_event(raw)
    assert event is None or event.container_id
