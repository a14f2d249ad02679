-- Expands: kept deliveries can be read again, a person can decide about them, and senders can be ignored.
--
-- A gateway that knows only 0004 goes on beside this: what it keeps has no head, and is read again without one.

-- What of the call's head the connector reads, as JSON; empty if it reads nothing of it.
ALTER TABLE submission ADD COLUMN head TEXT NOT NULL DEFAULT '';
-- The person who released or dropped it last, and when.
ALTER TABLE submission ADD COLUMN decided_by TEXT;
ALTER TABLE submission ADD COLUMN decided_at INTEGER;

-- A delivery that waited may turn out to repeat another: its row stays, and says so. Only the check is widened; no row is
-- looked at. (The way SQLite's manual describes for changes that do not touch what is stored.)
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '''spam'', ''quarantined''))', '''spam'', ''quarantined'', ''repeat''))')
WHERE type = 'table' AND name = 'submission';
PRAGMA writable_schema = RESET;

-- Senders whose deliveries are kept without a lead.
CREATE TABLE ignored_sender (
    kind  TEXT    NOT NULL CHECK (kind IN ('phone', 'email', 'domain')),
    value TEXT    NOT NULL,                                      -- the canonical form
    at    INTEGER NOT NULL,
    actor TEXT    NOT NULL,                                      -- who said so
    PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;
