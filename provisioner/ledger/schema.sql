-- Version 1. One writer; states and their transitions are provisioner.job's.
-- Checks and partial indexes say OR, not IN: SQLite builds a table for each IN, a row at a time.
CREATE TABLE campaigns (
    id           INTEGER PRIMARY KEY,
    name         TEXT    NOT NULL UNIQUE,
    input_name   TEXT    NOT NULL,
    input_sha256 TEXT    NOT NULL,
    defaults     TEXT    NOT NULL,
    layout       TEXT    NOT NULL,
    connectors   TEXT    NOT NULL,
    created_at   REAL    NOT NULL,
    recording    INTEGER NOT NULL DEFAULT 1,
    gone         INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Every row of the job file, those turned away included (they have a problem and no request).
-- Rows of an older `recording` than the campaign's are gone from its file.
-- `fingerprint` leads from a listed session to the jobs it may belong to; its index costs as much as
-- the rest of an insertion, so that only a ledger's first listing makes it (`index_fingerprints`).
CREATE TABLE jobs (
    id           INTEGER PRIMARY KEY,
    campaign_id  INTEGER NOT NULL REFERENCES campaigns (id),
    number       INTEGER NOT NULL,
    key          TEXT,
    state        TEXT    NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    last_attempt INTEGER,
    recording    INTEGER NOT NULL,
    problem      TEXT,
    request      TEXT,
    fingerprint  INTEGER,
    cells        TEXT    NOT NULL,
    CHECK ((problem IS NULL) = (request IS NOT NULL AND key IS NOT NULL)),
    CHECK (state = 'pending' OR state = 'in_flight' OR state = 'created' OR state = 'failed'
           OR state = 'ambiguous' OR state = 'needs_review' OR state = 'withdrawn'
           OR state = 'rejected' OR state = 'duplicate')
) STRICT;

CREATE INDEX jobs_of_campaign ON jobs (campaign_id);
CREATE UNIQUE INDEX jobs_identity ON jobs (campaign_id, key) WHERE problem IS NULL;
CREATE INDEX jobs_not_created ON jobs (campaign_id, state, id)
    WHERE state = 'pending' OR state = 'in_flight' OR state = 'ambiguous' OR state = 'needs_review'
        OR state = 'failed' OR state = 'withdrawn' OR state = 'rejected' OR state = 'duplicate';

CREATE TABLE attempts (
    id         INTEGER PRIMARY KEY,
    job_id     INTEGER NOT NULL REFERENCES jobs (id),
    number     INTEGER NOT NULL,
    state      TEXT    NOT NULL CHECK (state = 'open' OR state = 'created'
                                       OR state = 'not_created' OR state = 'unknown'),
    opened_at  REAL    NOT NULL,
    closed_at  REAL,
    answered   INTEGER NOT NULL DEFAULT 0,
    absent_at  REAL,
    adopted    INTEGER NOT NULL DEFAULT 0,
    verdict    TEXT,
    throttled  INTEGER NOT NULL DEFAULT 0,
    status     INTEGER,
    error_code TEXT,
    message    TEXT,
    request_id TEXT,
    session_id TEXT,
    session    TEXT,
    UNIQUE (job_id, number)
) STRICT;

-- The database itself refuses a second request for a job that has, or may have, a session.
CREATE UNIQUE INDEX attempts_at_most_one ON attempts (job_id)
    WHERE state = 'open' OR state = 'unknown' OR state = 'created';

CREATE INDEX attempts_unavailable ON attempts (job_id) WHERE status = 503;

-- A session is adopted once. The time is there for emulators, which give ids again in another life.
CREATE UNIQUE INDEX attempts_adopt_once
    ON attempts (session_id, json_extract(session, '$.CreatedTimestamp')) WHERE adopted;

CREATE TABLE runs (
    id          INTEGER PRIMARY KEY,
    campaign_id INTEGER NOT NULL REFERENCES campaigns (id),
    ended_at    REAL    NOT NULL,
    summary     TEXT    NOT NULL
) STRICT;

-- What a lane was last found to allow, in calls a second: where the next run starts.
CREATE TABLE rates (
    lane       TEXT NOT NULL,
    operation  TEXT NOT NULL,
    rate       REAL NOT NULL CHECK (rate > 0),
    learned_at REAL NOT NULL,
    PRIMARY KEY (lane, operation)
) STRICT, WITHOUT ROWID;
