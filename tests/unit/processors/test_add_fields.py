from tests.unit.processors.trying import EVENT, faults_of, tried


def test_fields_go_below_fields() -> None:
    result = tried("- add_fields.fields: {team: web, rack.row: 3}")
    assert result == {**EVENT, "fields": {"team": "web", "rack": {"row": 3}}}


def test_or_to_another_section_or_to_the_top() -> None:
    assert tried("- add_fields: {target: a.b, fields: {c: 1}}")["a"] == {"b": {"c": 1}}
    assert tried("- add_fields: {target: '', fields: {c: [1, 2]}}") == {**EVENT, "c": [1, 2]}


def test_they_join_what_is_there_and_win_over_it() -> None:
    result = tried("- add_fields: {target: local_process, fields: {binary: x, new: y}}")
    assert result["local_process"] == {**EVENT["local_process"], "binary": "x", "new": "y"}
    assert EVENT["local_process"]["binary"] == "curl"


def test_the_time_and_metadata_are_no_targets() -> None:
    for target in ("'@timestamp'", "'@metadata'", "'@metadata.x'"):
        assert list(faults_of(f"- add_fields: {{target: {target}, fields: {{a: 1}}}}")) == [
            "0.add_fields.target"
        ]


def test_nor_is_the_time_one_of_the_fields_at_the_top() -> None:
    yaml = "- add_fields: {target: '', fields: {'@timestamp': 5}}"
    assert "the time of an event" in faults_of(yaml)["0.add_fields.fields"]
    assert tried(yaml.replace("''", "a", 1))["a"] == {"@timestamp": 5}


def test_without_fields_it_is_refused() -> None:
    assert faults_of("- add_fields: ~")["0.add_fields.fields"].startswith("is missing, expected")
