"""The tables of the spool, as SQL. Pure.

`sqlite3 spool.db 'SELECT * FROM events'` shows every event that is still there, and
`'SELECT * FROM waiting'` how many of them each output has yet to take.
"""

#: `PRAGMA application_id`: "cnbt". Whatever has another one is no spool of ours.
APPLICATION_ID = 0x636E6274

_V1 = """
-- Numbers never begin again, also when no event is left.
CREATE TABLE spool (last_seq INTEGER NOT NULL, last_bytes INTEGER NOT NULL);
INSERT INTO spool VALUES (0, 0);

CREATE TABLE chunks (
  last_seq INTEGER PRIMARY KEY,
  first_seq INTEGER NOT NULL,
  last_bytes INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  ids TEXT NOT NULL,
  timestamps TEXT NOT NULL,
  bodies BLOB NOT NULL
);

CREATE TABLE places (
  output TEXT PRIMARY KEY,
  cursor INTEGER NOT NULL,
  cursor_bytes INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE owed (
  seq INTEGER NOT NULL,
  output TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  PRIMARY KEY (seq, output)
) WITHOUT ROWID;

CREATE VIEW events AS
  SELECT
    chunks.first_seq + body.key AS seq,
    json_extract(chunks.ids, '$[' || body.key || ']') AS id,
    json_extract(chunks.timestamps, '$[' || body.key || ']') AS timestamp_ns,
    body.value AS body
  FROM chunks,
    json_each('[' || replace(CAST(chunks.bodies AS TEXT), char(10), ',') || ']') AS body;

CREATE VIEW waiting AS
  SELECT
    output,
    last_seq - cursor + (SELECT count(*) FROM owed WHERE owed.output = places.output) AS events,
    last_bytes - cursor_bytes + (
      SELECT ifnull(sum(size_bytes), 0) FROM owed WHERE owed.output = places.output
    ) AS bytes
  FROM places, spool;
"""

#: What leads from each version (`PRAGMA user_version`) to the next; a new file has version 0.
MIGRATIONS = (_V1,)
