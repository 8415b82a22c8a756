import pytest

from tests.unit.processors.trying import EVENT, failure, tried


@pytest.mark.parametrize(
    ("pattern", "replacement", "text"),
    [
        ("http://", "https://", "curl https://web/"),
        ("/$", "", "curl http://web"),
        (r"(\\w+)://(\\w+)", "$2 by $1", "curl web by http/"),
        (r"(?P<host>web)", "${host}!", "curl http://web!/"),
        ("web", "$9[$0]$$", "curl http://[web]$/"),
        ("web", r"\\1\\g<0>", r"curl http://\1\g<0>/"),
        ("nothing", "x", "curl http://web/"),
    ],
)
def test_what_the_pattern_matches_is_replaced(pattern: str, replacement: str, text: str) -> None:
    item = f'{{field: local_process.cmdline, pattern: "{pattern}", replacement: "{replacement}"}}'
    result = tried(f"- replace.fields: [{item}]")
    assert result["local_process"]["cmdline"] == text
    assert EVENT["local_process"]["cmdline"] == "curl http://web/"


def test_what_is_no_text_or_not_there_is_a_failure() -> None:
    item = "pattern: a, replacement: b"
    assert failure(f"- replace.fields: [{{field: local_port, {item}}}]") == "local_port is no text"
    assert failure(f"- replace.fields: [{{field: x, {item}}}]") == "there is no field x"
    ignoring = f"- replace: {{fields: [{{field: x, {item}}}], ignore_missing: true}}"
    assert tried(ignoring) is EVENT
