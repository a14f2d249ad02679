-- Expands: what is owed outward, what is due at a time, and what is wrong.
--
-- A gateway that does not know this goes on beside it: what it records owes nobody anything.

-- Deliveries that are owed because of an event: one for each target and recipient. No customer's data: what is told is read
-- when it is delivered.
CREATE TABLE job (
    seq           INTEGER PRIMARY KEY,
    id            BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),   -- derived from the event, the target and the recipient
    target        TEXT    NOT NULL,                              -- mail, webhook:<id>
    recipient     TEXT    NOT NULL,                              -- empty; manager:<id>, responsible, customer, relay, an address of the company
    event         BLOB    NOT NULL CHECK (length(event) = 16),
    name          TEXT    NOT NULL,                              -- the event's
    data          TEXT    NOT NULL,                              -- the event's: ids only
    lead          INTEGER,
    lane          INTEGER,                                       -- the lead before whose earlier jobs of this target it does not go
    state         TEXT    NOT NULL CHECK (state IN ('waiting', 'sending', 'done', 'dead', 'held', 'dropped')),
    at            INTEGER NOT NULL,                              -- when the event happened
    since         INTEGER NOT NULL,                              -- from when its time is counted: `at`, or a person's word
    due_at        INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    node          BLOB,                                          -- the gateway that delivers it
    claimed_until INTEGER,                                       -- by the database's clock
    ended_at      INTEGER,
    words         TEXT    NOT NULL                               -- what was answered last
) STRICT;
CREATE INDEX job_due ON job (target, due_at, seq) WHERE state = 'waiting';
CREATE INDEX job_claimed ON job (claimed_until) WHERE state = 'sending';
CREATE INDEX job_lane ON job (lane, target, seq) WHERE lane IS NOT NULL AND state IN ('waiting', 'sending', 'held');
CREATE INDEX job_lead ON job (lead) WHERE lead IS NOT NULL;
CREATE INDEX job_open ON job (state, seq) WHERE state IN ('dead', 'held', 'dropped');
CREATE INDEX job_ended ON job (ended_at) WHERE ended_at IS NOT NULL;

-- What a delivery is called where it went: a message id, the id of a record there.
CREATE TABLE job_ref (
    job   INTEGER NOT NULL REFERENCES job (seq) ON DELETE CASCADE,
    scope TEXT    NOT NULL,
    value TEXT    NOT NULL,
    PRIMARY KEY (job, scope, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_ref_value ON job_ref (value, scope);

-- What is due at a time. Whoever sees that it is takes the row away, in the transaction of what follows.
CREATE TABLE timer (
    kind   TEXT    NOT NULL,
    key    TEXT    NOT NULL,
    due_at INTEGER NOT NULL,
    source TEXT,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX timer_due ON timer (due_at);

-- What is wrong, until it is not any more.
CREATE TABLE alarm (
    name   TEXT    NOT NULL,                                     -- of the event that told of it
    key    TEXT    NOT NULL,
    since  INTEGER NOT NULL,
    detail TEXT    NOT NULL CHECK (json_valid(detail)),
    PRIMARY KEY (name, key)
) STRICT, WITHOUT ROWID;

-- Addresses that were answered automatically, for a day.
CREATE TABLE answered (
    address BLOB    NOT NULL PRIMARY KEY CHECK (length(address) = 32),   -- SHA-256 of its canonical form
    source  TEXT    NOT NULL,
    job     BLOB    NOT NULL CHECK (length(job) = 16),
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX answered_at ON answered (at);
CREATE INDEX answered_source ON answered (source, at);

-- What signs links in mails.
CREATE TABLE link_key (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    key      BLOB NOT NULL CHECK (length(key) = 32)
) STRICT;
