"""Change: one transaction of the spool. I/O, through a connection that it is handed."""

from collections.abc import Sequence

import msgspec

from connbeat.model.batches import Event
from connbeat.queue.chunks import Chunk, split
from connbeat.queue.database import PAGE_BYTES, Connection
from connbeat.queue.place import Mark, Position, Row


class Change:
    """What a transaction may do. Every step may raise; the transaction is then undone."""

    def __init__(
        self, writer: Connection, last: Position, marks: dict[str, Mark], max_pages: int
    ) -> None:
        self._writer = writer
        self.last = last
        self.marks = dict(marks)
        self.written_bytes = 0
        self._max_pages = max_pages

    def save(self, marks: Sequence[Mark]) -> None:
        """Where these outputs stand now; events that nobody waits for any more leave."""
        for mark in marks:
            old = self.marks.get(mark.output)
            if mark != old:
                self._save(mark, old)
                self.marks[mark.output] = mark
        cursor = min((mark.cursor.seq for mark in self.marks.values()), default=self.last.seq)
        self._writer.execute(
            "DELETE FROM chunks WHERE last_seq <= ? AND NOT EXISTS"
            " (SELECT 1 FROM owed WHERE owed.seq BETWEEN chunks.first_seq AND chunks.last_seq)",
            (cursor,),
        )

    def _save(self, mark: Mark, old: Mark | None) -> None:
        owed = old.owed if old else {}
        self._writer.execute(
            "INSERT OR REPLACE INTO places VALUES (?, ?, ?)",
            (mark.output, mark.cursor.seq, mark.cursor.size_bytes),
        )
        self._writer.executemany(
            "DELETE FROM owed WHERE seq = ? AND output = ?",
            [(seq, mark.output) for seq in owed.keys() - mark.owed.keys()],
        )
        self._writer.executemany(
            "INSERT INTO owed VALUES (?, ?, ?)",
            [(seq, mark.output, mark.owed[seq]) for seq in mark.owed.keys() - owed.keys()],
        )

    def remove(self, output: str) -> None:
        """Forget an output."""
        self.marks.pop(output, None)
        self._writer.execute("DELETE FROM owed WHERE output = ?", (output,))
        self._writer.execute("DELETE FROM places WHERE output = ?", (output,))

    def append(self, events: Sequence[Event]) -> None:
        """Number the events and write them."""
        chunks = list(split(events, self.last.seq, self.last.size_bytes))
        for chunk in chunks:
            self._insert(chunk)
        if chunks:
            self._go_on_after(Position(chunks[-1].last_seq, chunks[-1].last_bytes))

    def seed(self, last: Position, rows: Sequence[Row]) -> None:
        """Begin a new spool where another ended, with single events of it."""
        for seq, event in rows:
            for chunk in split([event], seq - 1, last.size_bytes - len(event.body)):
                self._insert(chunk)
        self._go_on_after(last)

    def has_room(self, size_bytes: int) -> bool:
        """Whether so many bytes more stay within the limit."""
        if not self._max_pages:
            return True
        (pages,) = self._writer.execute("PRAGMA page_count").fetchone()
        (free,) = self._writer.execute("PRAGMA freelist_count").fetchone()
        return bool(pages - free + size_bytes // PAGE_BYTES < self._max_pages)

    def oldest(self, after_seq: int) -> Position | None:
        """The end of the oldest row behind that event; None if there is no other."""
        row = self._writer.execute(
            "SELECT last_seq, last_bytes FROM chunks WHERE last_seq > ? ORDER BY last_seq LIMIT 1",
            (after_seq,),
        ).fetchone()
        return Position(*row) if row else None

    def _insert(self, chunk: Chunk) -> None:
        self.written_bytes += len(chunk.bodies) + len(chunk.ids) + len(chunk.timestamps)
        self._writer.execute(
            "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(chunk)
        )

    def _go_on_after(self, last: Position) -> None:
        self.last = last
        self._writer.execute(
            "UPDATE spool SET last_seq = ?, last_bytes = ?", (last.seq, last.size_bytes)
        )
