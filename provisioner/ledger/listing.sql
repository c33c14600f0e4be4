-- What a listing found, in the connection's own temporary database: it spills to disk.
CREATE TEMP TABLE IF NOT EXISTS wanted (name TEXT PRIMARY KEY) WITHOUT ROWID;

-- `owner` is the job that has the session, `job` one that the Name and the numbers fit.
CREATE TEMP TABLE IF NOT EXISTS sightings (
    session_id   TEXT PRIMARY KEY,
    connector_id TEXT NOT NULL,
    name         TEXT NOT NULL,
    numbers      TEXT NOT NULL,
    fingerprint  INTEGER NOT NULL,
    created_at   REAL,
    session      TEXT NOT NULL,
    owner        INTEGER,
    job          INTEGER
) STRICT;

CREATE INDEX IF NOT EXISTS temp.sightings_by_name ON sightings (name);

DELETE FROM temp.wanted;
DELETE FROM temp.sightings;
