import pytest

from connbeat.config.masking import masked


@pytest.mark.parametrize(
    "key",
    [
        "password", "key_passphrase", "api_key", "apikey", "auth_token", "client_secret", "key",
        "ssl.key.pem", "sasl.oauthbearer.config",
    ],
)  # fmt: skip
def test_what_a_secret_key_holds_is_masked(key: str) -> None:
    data = {"output": {"x": {key: "hunter2", f"{key}s": [1]}}}
    assert "hunter2" not in str(masked(data))


def test_what_is_no_secret_stays() -> None:
    data = {"keys": [{"topic": "a"}], "name": "passage", "keep_alive": 3, "none": None}
    assert masked(data) == data


def test_secrets_inside_urls_are_masked() -> None:
    urls = ["https://u:pa@ss@h:9200/x?api_key=K&b=1", "http://h/?b=1&Token=abc", "http://h/@b"]
    assert masked({"hosts": urls}) == {
        "hosts": [
            "https://xxxxx@h:9200/x?api_key=xxxxx&b=1",
            "http://h/?b=1&Token=xxxxx",
            "http://h/@b",
        ]
    }
