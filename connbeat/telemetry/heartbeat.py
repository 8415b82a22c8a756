"""Heartbeat: whether the capture thread gets anywhere. It writes, everybody else reads."""


class Heartbeat:
    """When something was last brought to its end, and how often that was.

    Each is one assignment of one thread, so nobody needs a lock to read it.
    """

    def __init__(self, started_ns: int) -> None:
        self.count = 0
        self.last_ns = started_ns

    def beat(self, now_ns: int) -> None:
        self.last_ns = now_ns
        self.count += 1
