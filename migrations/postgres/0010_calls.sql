-- Expands: calls, which are told by many events in any order. Until it is decided what becomes of a call, what they told is kept here.
--
-- A gateway that does not know this goes on beside it: it hears of no calls.
CREATE TABLE call (
    source text     NOT NULL COLLATE "C",
    key    text     NOT NULL COLLATE "C",                        -- activity.external_key, once there is one
    told   text     CHECK (told IS NULL OR told::json IS NOT NULL),  -- what it told so far; NULL: its activity tells it
    phone  text     NOT NULL COLLATE "C",                        -- the canonical number of the other side; empty: not known
    back   text     NOT NULL COLLATE "C" CHECK (back IN ('none', 'waits', 'done')),  -- whether somebody should call back
    over   smallint NOT NULL CHECK (over IN (0, 1)),             -- nothing more is expected of it
    at     bigint   NOT NULL,                                    -- when something last came of it
    PRIMARY KEY (source, key)
);
CREATE INDEX call_phone ON call (phone) WHERE phone <> '';
CREATE INDEX call_at ON call (at);
