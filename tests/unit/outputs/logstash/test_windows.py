from connbeat.outputs.logstash.windows import WindowSize


def test_without_slow_start_every_window_is_whole() -> None:
    size = WindowSize(2048)
    size.failed()
    assert size.events == 2048
    size.succeeded(2048)
    assert size.events == 2048


def test_slow_start_grows_to_the_limit_and_no_further() -> None:
    size = WindowSize(100, slow_start=True)
    seen = []
    for _ in range(8):
        seen.append(size.events)
        size.succeeded(size.events)
    assert seen == [10, 16, 25, 38, 58, 88, 100, 100]


def test_a_failure_halves_down_to_single_events() -> None:
    size = WindowSize(2048, slow_start=True)
    seen = []
    for _ in range(5):
        seen.append(size.events)
        size.failed()
    assert seen == [10, 5, 2, 1, 1]
    size.succeeded(1)
    assert size.events == 2


def test_a_window_smaller_than_allowed_proves_nothing() -> None:
    size = WindowSize(2048, slow_start=True)
    size.succeeded(3)
    assert size.events == 10


def test_a_small_limit_is_kept_from_the_start() -> None:
    assert WindowSize(4, slow_start=True).events == 4
