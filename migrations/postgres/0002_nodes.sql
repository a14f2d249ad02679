-- Expands: which gateways serve this database, and what only one of them may do at a time.
--
-- A gateway that knows only 0001 goes on beside this: it uses none of it.

CREATE TABLE node (
    id         bytea  NOT NULL PRIMARY KEY CHECK (length(id) = 16),    -- drawn at each start
    name       text   NOT NULL,                                        -- of the machine
    version    text   NOT NULL,
    address    text   NOT NULL,
    started_at bigint NOT NULL,
    seen_at    bigint NOT NULL                                         -- the database's clock
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE lease (
    name   text   NOT NULL COLLATE "C" PRIMARY KEY,                    -- 'source:<id>', 'housekeeping'
    holder bytea  CHECK (holder IS NULL OR length(holder) = 16),       -- a node; absent when it was given back
    until  bigint NOT NULL,                                            -- the database's clock
    fence  bigint NOT NULL                                             -- rises whenever the holder changes
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Fencing tokens never fall.
INSERT INTO lease (name, holder, until, fence) SELECT 'source:' || source, NULL, 0, fence FROM cursor;
