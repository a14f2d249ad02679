-- Leads and everything under them.
--
-- Ids of what people see are integers drawn by the gateway and never used twice. UUIDs are 16 bytes, times are
-- microseconds UTC, JSON is text; a check parses it again only where a lead does not pay for several of them. Normal
-- forms are made by the gateway: nothing is folded or compared loosely here.
--
-- How the tables are laid out decides how fast leads are written. What is looked up by its own number is a plain table:
-- new rows go to its end. What belongs to something else is clustered under it (`WITHOUT ROWID`). Only two indexes take
-- new entries at random places: identities by value, and the senders' keys.
-- References between tables are declared where deleting the parent does not search the whole child.

-- The oldest gateway that may serve this schema. An expanding migration leaves it alone, a contracting one raises it.
CREATE TABLE compatibility (
    only_row   INTEGER PRIMARY KEY CHECK (only_row = 1),
    min_binary TEXT NOT NULL
) STRICT;
INSERT INTO compatibility (only_row, min_binary) VALUES (1, '0.1.0');

CREATE TABLE installation (
    only_row   INTEGER PRIMARY KEY CHECK (only_row = 1),
    uuid       BLOB NOT NULL CHECK (length(uuid) = 16)
) STRICT;

-- The next number of each kind.
CREATE TABLE sequence (
    name TEXT NOT NULL PRIMARY KEY,
    next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO sequence (name, next)
VALUES ('contact', 1), ('lead', 1), ('activity', 1), ('submission', 1), ('review', 1), ('move', 1);

-- ------------------------------------------------------------------------------------------------------------- people

CREATE TABLE contact (
    id            INTEGER PRIMARY KEY,
    uuid          BLOB    NOT NULL CHECK (length(uuid) = 16),
    name          TEXT    NOT NULL,                              -- shown, as typed; empty if unknown
    names         TEXT    NOT NULL,                              -- [{"typed", "key"}], the shown one first
    words         TEXT    NOT NULL,                              -- folded words of all names, each with a space before it
    created_at    INTEGER NOT NULL,
    last_active   INTEGER NOT NULL,
    waiting_since INTEGER,
    responsible   TEXT,
    merged_into   INTEGER,
    claims_day    INTEGER,                                       -- days since 1970
    claims        INTEGER NOT NULL
) STRICT;
CREATE INDEX contact_last_active ON contact (last_active);
CREATE INDEX contact_waiting ON contact (waiting_since) WHERE waiting_since IS NOT NULL;

CREATE TABLE identity (
    contact    INTEGER NOT NULL REFERENCES contact (id),
    kind       TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('active', 'claimed', 'shared', 'generic', 'historic')),
    strength   TEXT    NOT NULL CHECK (strength IN ('none', 'weak', 'strong')),
    display    TEXT    NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    sender     TEXT    NOT NULL,
    activity   INTEGER,
    PRIMARY KEY (contact, kind, value)
) STRICT, WITHOUT ROWID;
-- One person: a value is active for at most one contact.
CREATE UNIQUE INDEX identity_active ON identity (value, kind) WHERE state = 'active';
-- The other holders, newest first within a state, so that a value held by many thousands costs no more than sixteen.
CREATE INDEX identity_held ON identity (value, kind, state, first_seen) WHERE state <> 'active';

CREATE TABLE review (
    id         INTEGER PRIMARY KEY,
    a          INTEGER NOT NULL,
    b          INTEGER NOT NULL CHECK (a < b),
    reasons    TEXT    NOT NULL CHECK (json_valid(reasons)),
    created_at INTEGER NOT NULL,
    closed_at  INTEGER,
    UNIQUE (a, b)
) STRICT;
CREATE INDEX review_b ON review (b);

-- -------------------------------------------------------------------------------------------------------------- leads

CREATE TABLE lead (
    id              INTEGER PRIMARY KEY,
    uuid            BLOB    NOT NULL CHECK (length(uuid) = 16),
    contact         INTEGER,
    takes           INTEGER NOT NULL CHECK (takes IN (0, 1)),    -- the contact's one open lead that takes activities
    stage           TEXT    NOT NULL CHECK (stage IN ('NEW', 'IN_PROCESS', 'PROCESSED', 'CONVERTED', 'JUNK')),
    title           TEXT    NOT NULL,
    name            TEXT    NOT NULL,                            -- as typed in the first delivery
    source          TEXT    NOT NULL,
    origin          TEXT    NOT NULL CHECK (origin IN ('intake', 'detach')),
    responsible     TEXT,
    version         INTEGER NOT NULL,
    suspect         INTEGER NOT NULL CHECK (suspect IN (0, 1)),
    test            INTEGER NOT NULL CHECK (test IN (0, 1)),
    return_customer INTEGER NOT NULL CHECK (return_customer IN (0, 1)),
    created_at      INTEGER NOT NULL,
    touched_at      INTEGER NOT NULL,
    closed_at       INTEGER,
    first_touch     TEXT,
    last_touch      TEXT,                                        -- only when it is not the first
    CHECK ((closed_at IS NULL) = (stage IN ('NEW', 'IN_PROCESS', 'PROCESSED'))),
    CHECK (takes = 0 OR (contact IS NOT NULL AND closed_at IS NULL))
) STRICT;
-- One open lead: the two indexes together hold every lead of a contact once.
CREATE UNIQUE INDEX lead_takes ON lead (contact) WHERE takes = 1;
CREATE INDEX lead_other ON lead (contact) WHERE takes = 0 AND contact IS NOT NULL;
CREATE INDEX lead_open ON lead (stage) WHERE closed_at IS NULL AND test = 0;
CREATE INDEX lead_responsible ON lead (responsible) WHERE responsible IS NOT NULL;
CREATE INDEX lead_source ON lead (source);
CREATE INDEX lead_created ON lead (created_at);

CREATE TABLE lead_history (
    lead   INTEGER NOT NULL REFERENCES lead (id) ON DELETE CASCADE,
    n      INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    actor  TEXT    NOT NULL,
    field  TEXT    NOT NULL,
    old    TEXT,
    new    TEXT,
    PRIMARY KEY (lead, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE activity (
    id           INTEGER PRIMARY KEY,
    kind         TEXT    NOT NULL CHECK (kind IN ('form', 'email', 'message', 'call', 'note')),
    lead         INTEGER REFERENCES lead (id),
    contact      INTEGER,
    source       TEXT,                                           -- absent for notes
    submission   INTEGER,                                        -- the delivery that made it
    external_key TEXT,                                           -- the source's own id of it
    author       TEXT,                                           -- who wrote it, for notes
    occurred_at  INTEGER NOT NULL,
    ambiguous    INTEGER NOT NULL CHECK (ambiguous IN (0, 1)),
    suspect      INTEGER NOT NULL CHECK (suspect IN (0, 1)),
    revised      INTEGER NOT NULL CHECK (revised IN (0, 1)),     -- under a known key with other content
    revisions    INTEGER NOT NULL,
    touch        TEXT,
    content      TEXT    NOT NULL CHECK (json_valid(content))
) STRICT;
CREATE INDEX activity_lead ON activity (lead) WHERE lead IS NOT NULL;
CREATE INDEX activity_contact ON activity (contact) WHERE lead IS NULL;
CREATE UNIQUE INDEX activity_external ON activity (source, external_key) WHERE external_key IS NOT NULL;

-- What an activity told before a later delivery amended it.
CREATE TABLE activity_revision (
    activity   INTEGER NOT NULL REFERENCES activity (id) ON DELETE CASCADE,
    n          INTEGER NOT NULL,
    submission INTEGER NOT NULL,                                 -- the delivery that amended it
    at         INTEGER NOT NULL,
    touch      TEXT CHECK (touch IS NULL OR json_valid(touch)),
    content    TEXT    NOT NULL CHECK (json_valid(content)),
    PRIMARY KEY (activity, n)
) STRICT, WITHOUT ROWID;

-- By what later deliveries may refer to an activity: a message id, a chat, a call.
CREATE TABLE activity_ref (
    scope    TEXT    NOT NULL,
    value    TEXT    NOT NULL,
    activity INTEGER NOT NULL,
    PRIMARY KEY (scope, value)
) STRICT, WITHOUT ROWID;

-- Every detach, with the rows as they were, so that it can be undone.
CREATE TABLE activity_move (
    id           INTEGER PRIMARY KEY,
    activity     INTEGER NOT NULL,
    from_lead    INTEGER,
    from_contact INTEGER,
    to_lead      INTEGER,
    to_contact   INTEGER,
    actor        TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    before       TEXT    NOT NULL CHECK (json_valid(before)),
    undone_at    INTEGER,
    undone_by    TEXT
) STRICT;

-- -------------------------------------------------------------------------------------------------------- submissions

CREATE TABLE submission (
    seq           INTEGER PRIMARY KEY,
    id            BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    source        TEXT    NOT NULL,
    received_at   INTEGER NOT NULL,
    outcome       TEXT    NOT NULL CHECK (outcome IN ('created', 'attached', 'returned', 'amended', 'probe', 'test', 'noted',
                                                      'spam', 'quarantined')),   -- of the newest receipt
    receipt       INTEGER NOT NULL,                              -- the number of the newest receipt
    repeats       INTEGER NOT NULL,
    authenticated INTEGER NOT NULL CHECK (authenticated IN (0, 1)),
    historic      INTEGER NOT NULL CHECK (historic IN (0, 1)),
    size          INTEGER NOT NULL,                              -- bytes kept
    content_type  TEXT    NOT NULL,
    query         TEXT    NOT NULL,
    peer          TEXT,
    sha256        BLOB    NOT NULL CHECK (length(sha256) = 32),  -- of the original bytes
    codec         TEXT    NOT NULL CHECK (codec IN ('plain', 'zstd')),
    raw           BLOB    NOT NULL                               -- last: lists do not read it
) STRICT;
CREATE INDEX submission_source ON submission (source);
CREATE INDEX submission_received ON submission (received_at);
CREATE INDEX submission_outcome ON submission (outcome) WHERE outcome NOT IN ('created', 'attached');
-- What nobody vouches for: a ring per source.
CREATE INDEX submission_ring ON submission (source, seq, size, received_at) WHERE authenticated = 0;

-- Every answer to a submission, oldest first.
CREATE TABLE receipt (
    submission INTEGER NOT NULL REFERENCES submission (seq) ON DELETE CASCADE,
    n          INTEGER NOT NULL,
    outcome    TEXT    NOT NULL,
    lead       INTEGER,
    contact    INTEGER,
    activity   INTEGER,
    reasons    TEXT    NOT NULL,
    PRIMARY KEY (submission, n)
) STRICT, WITHOUT ROWID;

-- Deliveries that repeated another: what a sender was told as a reference leads to the one that was kept.
CREATE TABLE submission_repeat (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    submission INTEGER NOT NULL REFERENCES submission (seq) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX submission_repeat_of ON submission_repeat (submission);

-- The senders' ids of deliveries, and content hashes where a sender gives none.
CREATE TABLE submission_key (
    source     TEXT    NOT NULL,
    scope      TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    submission INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    content    BLOB    NOT NULL CHECK (length(content) = 32),
    earlier    BLOB    NOT NULL CHECK (length(earlier) % 32 = 0),    -- contents before it, newest first
    PRIMARY KEY (source, scope, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX submission_key_content ON submission_key (at) WHERE scope = 'content';

-- Which files of the attachment store a kept submission names.
CREATE TABLE attachment (
    sha256     TEXT    NOT NULL,
    submission INTEGER NOT NULL REFERENCES submission (seq) ON DELETE CASCADE,
    PRIMARY KEY (sha256, submission)
) STRICT, WITHOUT ROWID;
CREATE INDEX attachment_submission ON attachment (submission);

-- ----------------------------------------------------------------------------------------------------- what follows it

-- In the order they were told. Their ids are derived from what they tell of, so nothing is told twice: no index is needed.
CREATE TABLE event (
    seq      INTEGER PRIMARY KEY,
    id       BLOB    NOT NULL CHECK (length(id) = 16),
    name     TEXT    NOT NULL,
    version  INTEGER NOT NULL,                                   -- of the shape of `data`
    at       INTEGER NOT NULL,
    historic INTEGER NOT NULL CHECK (historic IN (0, 1)),        -- no outward effects
    data     TEXT    NOT NULL                                    -- ids only
) STRICT;

-- ------------------------------------------------------------------------------------------------------------ sources

CREATE TABLE source_health (
    source         TEXT    NOT NULL PRIMARY KEY,
    last_accepted  INTEGER,
    last_rejected  INTEGER,
    last_rejection TEXT,
    refused        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE source_count (
    source  TEXT    NOT NULL,
    outcome TEXT    NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (source, outcome)
) STRICT, WITHOUT ROWID;

-- A pull source's place, and the lease under which it is read.
CREATE TABLE cursor (
    source      TEXT    NOT NULL PRIMARY KEY,
    value       TEXT CHECK (value IS NULL OR json_valid(value)),
    lease_owner TEXT,
    lease_until INTEGER,
    fence       INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- ------------------------------------------------------------------------------------------------------------- access

CREATE TABLE api_token (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    hash       BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    scopes     TEXT    NOT NULL CHECK (json_valid(scopes)),
    sources    TEXT CHECK (sources IS NULL OR json_valid(sources)),
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE UNIQUE INDEX api_token_name ON api_token (name) WHERE revoked_at IS NULL;
