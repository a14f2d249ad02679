-- Expands: which gateways serve this database, and what only one of them may do at a time.
--
-- A gateway that knows only 0001 goes on beside this: it uses none of it.

CREATE TABLE node (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),    -- drawn at each start
    name       TEXT    NOT NULL,                                        -- of the machine
    version    TEXT    NOT NULL,
    address    TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL                                         -- the database's clock
) STRICT, WITHOUT ROWID;

CREATE TABLE lease (
    name   TEXT    NOT NULL PRIMARY KEY,                                -- 'source:<id>', 'housekeeping'
    holder BLOB    CHECK (holder IS NULL OR length(holder) = 16),       -- a node; absent when it was given back
    until  INTEGER NOT NULL,                                            -- the database's clock
    fence  INTEGER NOT NULL                                             -- rises whenever the holder changes
) STRICT, WITHOUT ROWID;

-- Fencing tokens never fall.
INSERT INTO lease (name, holder, until, fence) SELECT 'source:' || source, NULL, 0, fence FROM cursor;
