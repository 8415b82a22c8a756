import pytest

from connbeat.processors.protocol import Held
from tests.unit.processors.trying import EVENT, Trial

FIELDS = "fields: {remote_ip: remote.domain, local_ip: local.domain}"
KNOWN = {"172.18.0.2": "web.example", "172.18.0.3": "client.example"}


def trial_of(options: str, known: dict[str, str]) -> Trial:
    trial = Trial(f"- dns: {{{options}}}")
    trial.services.fake_names.known.update(known)
    return trial


def test_what_is_known_stands_in_the_event_at_once() -> None:
    assert trial_of(FIELDS, KNOWN)() == {
        **EVENT,
        "remote": {"domain": "web.example"},
        "local": {"domain": "client.example"},
    }


def test_what_is_not_known_is_waited_for_and_the_event_goes_on_with_what_came() -> None:
    trial = trial_of(FIELDS, {})
    with pytest.raises(Held) as caught:
        trial()
    held = caught.value
    trial.services.fake_names.known["172.18.0.2"] = "web.example"
    assert not held.is_ready()
    assert held.resume(held.document) == {**EVENT, "remote": {"domain": "web.example"}}
    trial.services.fake_names.known["172.18.0.3"] = ""
    assert held.is_ready(), "that there is no name is an answer"


def test_without_max_wait_the_event_goes_on_at_once_and_the_next_one_has_the_name() -> None:
    trial = trial_of(f"{FIELDS}, max_wait: 0", {})
    assert trial() == EVENT
    assert set(trial.services.fake_names.asked) == set(KNOWN)


def test_an_event_without_the_fields_asks_for_nothing() -> None:
    trial = trial_of(f"{FIELDS}, tag_on_failure: [x]", {})
    assert trial({"type": "connbeat"}) == {"type": "connbeat"}
    assert trial.services.fake_names.asked == []


def test_a_failure_is_tagged_once() -> None:
    result = trial_of(f"{FIELDS}, tag_on_failure: [no_name]", {"172.18.0.2": "", "172.18.0.3": ""})
    assert result() == {**EVENT, "tags": ["no_name"]}


@pytest.mark.parametrize(
    ("before", "action", "after"),
    [
        ("old", "append", ["old", "web.example"]),
        (["old"], "append", ["old", "web.example"]),
        ("web.example", "append", "web.example"),
        ("old", "replace", "web.example"),
    ],
)
def test_a_value_that_is_there_stays_or_goes(before: object, action: str, after: object) -> None:
    trial = trial_of(f"fields: {{remote_ip: name}}, action: {action}", KNOWN)
    assert trial({"remote_ip": "172.18.0.2", "name": before})["name"] == after
