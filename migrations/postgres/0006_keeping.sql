-- Expands: what is kept for how long, and who was erased.
--
-- A gateway that does not know this goes on beside it: emptied bytes look to it like an empty body.

-- When its bytes, query and sender's address went; its receipts, size and hash stay.
ALTER TABLE submission ADD COLUMN emptied_at bigint;
-- When everything that was known of the person went.
ALTER TABLE contact ADD COLUMN erased_at bigint;

-- Who was erased, when, by whom and why. The UUID is the contact's: by it an erasure is done once more after a restore.
CREATE TABLE erased (
    uuid    bytea  NOT NULL PRIMARY KEY CHECK (length(uuid) = 16),
    contact bigint NOT NULL,                                     -- its number at that time
    at      bigint NOT NULL,
    actor   text   NOT NULL,
    reason  text   NOT NULL,
    key     text   NOT NULL                                      -- which secret the hashes were made with
);

-- What they were known by, as HMAC-SHA256 under a secret that is not in here.
CREATE TABLE erased_identity (
    hash   bytea NOT NULL CHECK (length(hash) = 32),
    erased bytea NOT NULL REFERENCES erased (uuid),
    PRIMARY KEY (hash, erased)
);
