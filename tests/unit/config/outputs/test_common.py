from connbeat.config.option import Status
from connbeat.config.outputs.common import COMMON, NETWORK, OLD_TLS, TLS


def test_no_key_is_there_twice() -> None:
    keys = [option.key for option in (*COMMON, *NETWORK)]
    assert len(keys) == len(set(keys))


def test_every_old_name_of_tls_is_known() -> None:
    assert [option.key.removeprefix("tls.") for option in OLD_TLS] == [
        option.key.removeprefix("ssl.") for option in TLS
    ]
    aliases = {option.stands_for for option in OLD_TLS if option.status is Status.ALIAS}
    assert aliases == {option.key for option in TLS if option.status is Status.USED}
