import pytest

from connbeat.outputs.elasticsearch.cluster import Answer


@pytest.mark.parametrize(
    ("status", "expected"), [(199, False), (200, True), (299, True), (300, False), (404, False)]
)
def test_success_is_what_http_calls_so(status: int, expected: bool) -> None:
    assert Answer(status, b"").is_success is expected
