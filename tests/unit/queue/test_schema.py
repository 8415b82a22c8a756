import json
import sqlite3

from connbeat.queue.chunks import split
from connbeat.queue.schema import MIGRATIONS
from tests.deliveries import event, events


def test_the_views_show_every_event_and_who_waits_for_it() -> None:
    with sqlite3.connect(":memory:") as database:
        for step in MIGRATIONS:
            database.executescript(step)
        put = [*events(2), event(2, b'{"text":"\\n,[","list":[1,2]}')]
        for chunk in split(put, 10, 100):
            columns = [getattr(chunk, name) for name in chunk.__struct_fields__]
            database.execute("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)", columns)
        database.execute("UPDATE spool SET last_seq = 13, last_bytes = 200")
        database.execute("INSERT INTO places VALUES ('a', 11, 120), ('b', 13, 200)")
        database.execute("INSERT INTO owed VALUES (11, 'b', 7)")

        shown = database.execute("SELECT * FROM events ORDER BY seq").fetchall()
        assert [row[:3] for row in shown] == [(11, "e0", 0), (12, "e1", 1), (13, "e2", 2)]
        assert [json.loads(row[3]) for row in shown] == [json.loads(one.body) for one in put]
        waiting = database.execute("SELECT * FROM waiting ORDER BY output").fetchall()
        assert waiting == [("a", 2, 80), ("b", 1, 7)]
    database.close()
