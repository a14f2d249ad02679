-- Expands: calls, which are told by many events in any order. Until it is decided what becomes of a call, what they told is kept here.
CREATE TABLE call (
    source TEXT    NOT NULL,
    key    TEXT    NOT NULL,                                     -- activity.external_key, once there is one
    told   TEXT    CHECK (json_valid(told)),                     -- what it told so far; NULL: its activity tells it
    phone  TEXT    NOT NULL,                                     -- the canonical number of the other side; empty: not known
    back   TEXT    NOT NULL CHECK (back IN ('none', 'waits', 'done')),  -- whether somebody should call back
    over   INTEGER NOT NULL CHECK (over IN (0, 1)),              -- nothing more is expected of it
    at     INTEGER NOT NULL,                                     -- when something last came of it
    PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX call_phone ON call (phone) WHERE phone <> '';
CREATE INDEX call_at ON call (at);
