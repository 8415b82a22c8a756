from bench.truth import (
    Made,
    Sighting,
    answering_ends,
    calling_ends,
    parse_truth,
    percent,
    score,
)

CLIENT, SERVER = 100, 200


def made(client_port: int, client_pid: int = CLIENT) -> Made:
    return Made("short", client_pid, SERVER, client_port, 9000, 1, 2)


def seen(client_port: int, pid: int = CLIENT, identity: str = "a") -> Sighting:
    return Sighting(identity, client_port, 9000, pid)


def test_a_line_of_the_truth_is_a_connection_with_both_its_processes() -> None:
    (one,) = parse_truth("idle\t7\t8\t40000\t9001\t17\t0\n")
    assert one == Made("idle", 7, 8, 40000, 9001, 17, 0)


def test_what_was_told_with_its_process_is_reported_and_right() -> None:
    told = score(calling_ends([made(1), made(2)]), [seen(1), seen(2)])
    assert (told.ends, told.reported, told.right, told.surplus) == (2, 2, 2, 0)


def test_what_was_told_without_or_with_another_process_is_not_right() -> None:
    told = score(calling_ends([made(1), made(2)]), [seen(1, pid=0), seen(2, pid=SERVER)])
    assert (told.reported, told.right) == (2, 0)


def test_several_events_of_one_connection_are_one_report() -> None:
    told = score(calling_ends([made(1)]), [seen(1, pid=0), seen(1), seen(1, pid=0)])
    assert (told.reported, told.right, told.surplus) == (1, 1, 0)


def test_a_connection_that_nobody_made_is_surplus() -> None:
    told = score(calling_ends([made(1)]), [seen(1), seen(1, identity="b")])
    assert (told.reported, told.right, told.surplus) == (1, 1, 1)


def test_ports_used_twice_are_two_connections() -> None:
    twice = list(calling_ends([made(1, client_pid=5), made(1, client_pid=6)]))
    assert score(twice, [seen(1, pid=5)]).reported == 1
    both = score(twice, [seen(1, pid=6, identity="b"), seen(1, pid=5)])
    assert (both.reported, both.right, both.surplus) == (2, 2, 0)


def test_connections_that_were_not_part_of_the_load_are_left_out() -> None:
    told = score(calling_ends([made(1)]), [seen(3)])
    assert (told.ends, told.reported, told.surplus) == (1, 0, 0)


def test_the_accepting_end_has_the_ports_reversed_and_the_server_s_process() -> None:
    told = score(answering_ends([made(1)]), [Sighting("a", 9000, 1, SERVER)])
    assert (told.reported, told.right) == (1, 1)


def test_a_hundred_percent_means_all_of_them() -> None:
    assert percent(99_999, 100_000) == 99.99
    assert percent(3, 3) == 100
    assert percent(0, 0) == 0
