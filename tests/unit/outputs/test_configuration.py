from connbeat.outputs.configuration import NetworkOutputConfig
from connbeat.outputs.tls_policy import TlsPolicy


def test_the_defaults_are_libbeat_s_but_for_the_retries() -> None:
    config = NetworkOutputConfig()
    assert (config.bulk_max_size, config.timeout_seconds, config.worker) == (2048, 90, 1)
    assert (config.backoff_init_seconds, config.backoff_max_seconds) == (1, 60)
    assert config.max_retries is None


def test_problems_of_tls_are_problems_of_the_output() -> None:
    config = NetworkOutputConfig(ssl=TlsPolicy(key="k"))
    assert [key for key, _ in config.problems()] == ["ssl.key"]
