from connbeat.telemetry.heartbeat import Heartbeat


def test_before_the_first_beat_the_start_counts_and_each_beat_is_remembered() -> None:
    heartbeat = Heartbeat(5)
    assert (heartbeat.count, heartbeat.last_ns) == (0, 5)
    heartbeat.beat(7)
    heartbeat.beat(9)
    assert (heartbeat.count, heartbeat.last_ns) == (2, 9)
