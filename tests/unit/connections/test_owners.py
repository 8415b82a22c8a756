from connbeat.connections.owners import CurrentOwners
from connbeat.model.processes import Attribution, Process, UnknownReason
from tests.builders import owned, process


class Table:
    """What became of processes; it remembers who was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.now: dict[int, Process | None] = {}

    def current(self, process: Process, now_ns: int) -> Process | None:
        self.asked.append((process.pid, now_ns))
        return self.now.get(process.pid, process)


def test_a_process_is_asked_for_once_a_turn_however_much_it_holds() -> None:
    table = Table()
    owners = CurrentOwners(table)
    one, same = owned(5), owned(5)
    same = Attribution(one.owner, same.container)
    owners.begin(1)
    assert owners.of(one) is owners.of(same)
    assert owners.of(one) == one
    owners.begin(2)
    owners.of(one)
    assert table.asked == [(5, 1), (5, 2)]


def test_a_process_that_called_exec_is_what_it_is_now() -> None:
    table = Table()
    owners = CurrentOwners(table)
    table.now[5] = process(6, container="c" * 64)
    owners.begin(1)
    assert owners.of(owned(5)) == owned(6, "c" * 64)


def test_a_process_that_ended_is_nobody() -> None:
    table = Table()
    owners = CurrentOwners(table)
    table.now[5] = None
    owners.begin(1)
    assert owners.of(owned(5)) is None


def test_where_nobody_is_known_nobody_is_asked_for() -> None:
    table = Table()
    owners = CurrentOwners(table)
    owners.begin(1)
    nobody = Attribution(UnknownReason.NOT_FOUND, None)
    assert owners.of(nobody) is nobody
    assert table.asked == []
