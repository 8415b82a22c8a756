from connbeat.config.outputs.registry import OUTPUTS, output_options, output_sections
from connbeat.outputs.tls_policy import TlsPolicy

KEYS = [option.key for option in output_options()]


def test_every_output_has_the_common_options_once() -> None:
    assert len(KEYS) == len(set(KEYS))
    for name in OUTPUTS:
        for key in ("enabled", "bulk_max_size", "backoff.init", "max_retries", "when"):
            assert f"output.{name}.{key}" in KEYS


def test_an_output_s_own_option_comes_first_and_replaces_the_common_one() -> None:
    options = {option.key: option for option in output_options()}
    assert KEYS[:2] == ["output.console.enabled", "output.console.pretty"]
    assert "stdout" in options["output.console.enabled"].text
    assert "stdout" not in options["output.file.enabled"].text


def test_outputs_on_the_network_have_tls_and_the_others_have_not() -> None:
    assert output_sections()["output.http.ssl"] is TlsPolicy
    assert "output.http.ssl.certificate" in KEYS
    assert "output.file.ssl" not in output_sections()
    assert not [key for key in KEYS if key.startswith("output.console.ssl.")]
