from connbeat.config.outputs.console import OPTIONS


def test_keys_are_relative_and_there_once() -> None:
    keys = [option.key for option in OPTIONS]
    assert len(keys) == len(set(keys))
    assert not [key for key in keys if key.startswith("output.")]
