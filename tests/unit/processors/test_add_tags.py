from tests.unit.processors.trying import EVENT, tried


def test_tags_are_added_after_one_another() -> None:
    result = tried("- add_tags.tags: [web]\n- add_tags.tags: [production]")
    assert result == {**EVENT, "tags": ["web", "production"]}


def test_they_may_go_elsewhere() -> None:
    assert tried("- add_tags: {tags: [a], target: x.y}")["x"] == {"y": ["a"]}
