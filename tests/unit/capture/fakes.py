"""A sock_diag socket with a script instead of a kernel."""

from collections.abc import Sequence
from typing import cast

from connbeat.errors import CaptureError
from connbeat.linux.diag_socket import DiagSocket
from connbeat.linux.sock_diag import ALL_STATES
from connbeat.model.sockets import Socket

#: Rows, how many were malformed, and whether the table moved.
Answer = tuple[list[Socket], int, bool]


class FakeDiag:
    """Gives one answer after another, the last one again and again; an error is raised."""

    def __init__(self, *answers: Answer | CaptureError) -> None:
        self._answers: Sequence[Answer | CaptureError] = answers
        self.dumps = 0
        #: Which states the last dump was asked for.
        self.states = 0
        self.is_closed = False
        self.rows_overlooked: list[Socket] = []

    def overlooked(self, limit: int) -> list[Socket]:
        return self.rows_overlooked[:limit]

    def dump(self, states: int = ALL_STATES) -> Answer:
        assert not self.is_closed, "a closed socket was asked"
        self.states = states
        answer = self._answers[min(self.dumps, len(self._answers) - 1)]
        self.dumps += 1
        if isinstance(answer, CaptureError):
            raise answer
        return answer

    def get(self, wanted: Socket) -> Socket | None:
        """The row with these addresses, of what the next dump would give."""
        assert not self.is_closed, "a closed socket was asked"
        answer = self._answers[min(self.dumps, len(self._answers) - 1)]
        if isinstance(answer, CaptureError):
            raise answer
        ends = "local_ip", "local_port", "remote_ip", "remote_port"
        for row in answer[0]:
            if all(getattr(row, name) == getattr(wanted, name) for name in ends):
                return row
        return None

    def close(self) -> None:
        self.is_closed = True

    def as_diag(self) -> DiagSocket:
        return cast(DiagSocket, self)
