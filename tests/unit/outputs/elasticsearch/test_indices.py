import pytest

from connbeat.outputs.elasticsearch.indices import pattern_of


@pytest.mark.parametrize(
    ("index", "pattern"),
    [
        ("connbeat-%{+yyyy.MM.dd}", "connbeat-*"),
        ("c-%{[beat.name]}-%{+yyyy}-x", "c-*-*-x"),
        ("c-%{[a]}%{+yyyy}", "c-*"),
        ("plain", "plain"),
        (r"a\%b", "a%b"),
        ("%{[a]}-x", ""),
    ],
)
def test_the_pattern_is_what_the_index_can_become(index: str, pattern: str) -> None:
    assert pattern_of(index) == pattern
