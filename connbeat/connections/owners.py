"""Owners: whether who held a socket still does, asked once for each process and turn."""

from typing import Protocol

from connbeat.model.processes import Attribution, Process


class ProcessRefresher(Protocol):
    """Tells what became of a process; see `attribution.processes.ProcessTable`."""

    def current(self, process: Process, now_ns: int) -> Process | None: ...


class CurrentOwners:
    """Mutable, one owner. What it answers for a process it remembers until `begin`."""

    def __init__(self, processes: ProcessRefresher) -> None:
        self._processes = processes
        self._now_ns = 0
        #: By the `id` of a process, which stands here too, lest that be another's.
        self._answers: dict[int, tuple[Process, Attribution | None]] = {}

    def begin(self, now_ns: int) -> None:
        """A new turn."""
        self._now_ns = now_ns
        self._answers.clear()

    def of(self, known: Attribution) -> Attribution | None:
        """As it is now, for a process may call exec: one object for all that a process holds.

        None if the process has ended.
        """
        owner = known.owner
        if not isinstance(owner, Process):
            return known
        answer = self._answers.get(id(owner))
        if answer is None:
            answer = self._answers[id(owner)] = owner, self._ask(owner)
        return answer[1]

    def _ask(self, owner: Process) -> Attribution | None:
        process = self._processes.current(owner, self._now_ns)
        return Attribution(process, process.container) if process is not None else None
