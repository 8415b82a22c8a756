import pytest

from connbeat.config.schema import Settings


def test_the_defaults_are_those_of_the_original() -> None:
    config = Settings().connbeat
    assert (config.aggregation_seconds, config.poll_interval_seconds) == (30, 2)
    assert (config.expose_process_info, config.expose_cmdline, config.expose_environ) == (
        True,
        True,
        False,
    )
    assert config.enable_local_connections is True
    assert config.enable_tcp_diag is None


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().name = "other"  # type: ignore[misc]  # that is the point


def test_two_settings_share_no_fields() -> None:
    assert Settings().fields is not Settings().fields
