import pytest

from connbeat.config.hints import nearest_key
from connbeat.config.options import OPTIONS, SECTION_NAMES


@pytest.mark.parametrize(
    ("unknown", "known"),
    [
        ("connbeat.agregation", "connbeat.aggregation"),
        ("Connbeat.Poll_Interval", "connbeat.poll_interval"),
        ("conbeat", "connbeat"),
        ("poll_interval", "connbeat.poll_interval"),
        ("output.poll_interval", "connbeat.poll_interval"),
        ("output.elastic", "output.elasticsearch"),
        ("output.elasticsearch.host", "output.elasticsearch.hosts"),
        ("logging.file", "logging.files"),
        ("connbeat.x", ""),
        ("enabled", ""),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_the_nearest_key_is_one_that_somebody_may_have_meant(unknown: str, known: str) -> None:
    assert nearest_key(unknown, (*OPTIONS, *SECTION_NAMES)) == known
