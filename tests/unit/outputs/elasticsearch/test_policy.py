from pathlib import Path

import pytest

from connbeat.errors import Permanent
from connbeat.outputs.elasticsearch.policy import read_policy


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match=r"setup\.ilm\.policy_file: .*gone\.json: No such file"):
        read_policy(tmp_path / "gone.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"phases":{}}', "{"])
def test_a_policy_is_what_elasticsearch_takes(tmp_path: Path, text: str) -> None:
    path = tmp_path / "policy.json"
    path.write_text(text)
    with pytest.raises(Permanent, match=r"policy\.json"):
        read_policy(path)


def test_a_policy_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text('{"policy":{"phases":{}}}')
    assert read_policy(path) == {"policy": {"phases": {}}}
