-- Expands: what is kept for how long, and who was erased.
--
-- A gateway that does not know this goes on beside it: emptied bytes look to it like an empty body.

-- When its bytes, query and sender's address went; its receipts, size and hash stay.
ALTER TABLE submission ADD COLUMN emptied_at INTEGER;
-- When everything that was known of the person went.
ALTER TABLE contact ADD COLUMN erased_at INTEGER;

-- Who was erased, when, by whom and why. The UUID is the contact's: by it an erasure is done once more after a restore.
CREATE TABLE erased (
    uuid    BLOB    NOT NULL PRIMARY KEY CHECK (length(uuid) = 16),
    contact INTEGER NOT NULL,                                    -- its number at that time
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    reason  TEXT    NOT NULL,
    key     TEXT    NOT NULL                                     -- which secret the hashes were made with
) STRICT, WITHOUT ROWID;

-- What they were known by, as HMAC-SHA256 under a secret that is not in here.
CREATE TABLE erased_identity (
    hash   BLOB NOT NULL CHECK (length(hash) = 32),
    erased BLOB NOT NULL REFERENCES erased (uuid),
    PRIMARY KEY (hash, erased)
) STRICT, WITHOUT ROWID;
