-- Leads and everything under them, for PostgreSQL 13 and newer.
--
-- The tables and columns are those of the SQLite schema, so that rows can be carried from one store to the other as they
-- are: whole numbers are bigint (flags smallint, 0 or 1: a number like the others, and narrow), times microseconds UTC,
-- UUIDs and hashes bytea, JSON text. JSON is no jsonb, because it is compared and given out as it was written; a check
-- parses it again only where a lead does not pay for several of them. Texts that are looked up or sorted by compare by
-- their bytes (COLLATE "C"), whatever the language of the database. Normal forms are made by the gateway: nothing is
-- folded or compared loosely here.
--
-- Rows that are written again keep room on their page (fillfactor), so that an update finds it there and touches no index.
-- Counters are few rows that change with every commit: they are vacuumed by number of changes and not by share of the table.
-- References between tables are declared where deleting the parent does not search the whole child.

-- The oldest gateway that may serve this schema. An expanding migration leaves it alone, a contracting one raises it.
CREATE TABLE compatibility (
    only_row   bigint PRIMARY KEY CHECK (only_row = 1),
    min_binary text   NOT NULL
);
INSERT INTO compatibility (only_row, min_binary) VALUES (1, '0.1.0');

CREATE TABLE installation (
    only_row   bigint PRIMARY KEY CHECK (only_row = 1),
    uuid       bytea  NOT NULL CHECK (length(uuid) = 16)
);

-- The next number of each kind. Drawn outside the transaction's fate: a number is never used twice, and of those that a
-- failed batch drew none is used at all.
CREATE SEQUENCE number_contact;
CREATE SEQUENCE number_lead;
CREATE SEQUENCE number_activity;
CREATE SEQUENCE number_submission;
CREATE SEQUENCE number_review;
CREATE SEQUENCE number_move;

-- ------------------------------------------------------------------------------------------------------------- people

CREATE TABLE contact (
    id            bigint PRIMARY KEY,
    uuid          bytea  NOT NULL CHECK (length(uuid) = 16),
    name          text   NOT NULL,                               -- shown, as typed; empty if unknown
    names         text   NOT NULL,                               -- [{"typed", "key"}], the shown one first
    words         text   NOT NULL,                               -- folded words of all names, each with a space before it
    created_at    bigint NOT NULL,
    last_active   bigint NOT NULL,
    waiting_since bigint,
    responsible   text,
    merged_into   bigint,
    claims_day    bigint,                                        -- days since 1970
    claims        bigint NOT NULL
) WITH (fillfactor = 85);
CREATE INDEX contact_last_active ON contact (last_active, id);
CREATE INDEX contact_waiting ON contact (waiting_since) WHERE waiting_since IS NOT NULL;

CREATE TABLE identity (
    contact    bigint NOT NULL REFERENCES contact (id),
    kind       text   NOT NULL COLLATE "C",
    value      text   NOT NULL COLLATE "C",
    state      text   NOT NULL COLLATE "C" CHECK (state IN ('active', 'claimed', 'shared', 'generic', 'historic')),
    strength   text   NOT NULL CHECK (strength IN ('none', 'weak', 'strong')),
    display    text   NOT NULL,
    first_seen bigint NOT NULL,
    last_seen  bigint NOT NULL,
    sender     text   NOT NULL,
    activity   bigint,
    PRIMARY KEY (contact, kind, value)
) WITH (fillfactor = 85);
-- One person: a value is active for at most one contact.
CREATE UNIQUE INDEX identity_active ON identity (value, kind) WHERE state = 'active';
-- The other holders, newest first within a state, so that a value held by many thousands costs no more than sixteen.
CREATE INDEX identity_held ON identity (value, kind, state, first_seen) WHERE state <> 'active';

CREATE TABLE review (
    id         bigint PRIMARY KEY,
    a          bigint NOT NULL,
    b          bigint NOT NULL CHECK (a < b),
    reasons    text   NOT NULL CHECK (reasons::json IS NOT NULL),
    created_at bigint NOT NULL,
    closed_at  bigint,
    UNIQUE (a, b)
);
CREATE INDEX review_b ON review (b);

-- -------------------------------------------------------------------------------------------------------------- leads

CREATE TABLE lead (
    id              bigint   PRIMARY KEY,
    uuid            bytea    NOT NULL CHECK (length(uuid) = 16),
    contact         bigint,
    takes           smallint NOT NULL CHECK (takes IN (0, 1)),   -- the contact's one open lead that takes activities
    stage           text     NOT NULL COLLATE "C" CHECK (stage IN ('NEW', 'IN_PROCESS', 'PROCESSED', 'CONVERTED', 'JUNK')),
    title           text     NOT NULL,
    name            text     NOT NULL,                           -- as typed in the first delivery
    source          text     NOT NULL COLLATE "C",
    origin          text     NOT NULL CHECK (origin IN ('intake', 'detach')),
    responsible     text     COLLATE "C",
    version         bigint   NOT NULL,
    suspect         smallint NOT NULL CHECK (suspect IN (0, 1)),
    test            smallint NOT NULL CHECK (test IN (0, 1)),
    return_customer smallint NOT NULL CHECK (return_customer IN (0, 1)),
    created_at      bigint   NOT NULL,
    touched_at      bigint   NOT NULL,
    closed_at       bigint,
    first_touch     text,
    last_touch      text,                                        -- only when it is not the first
    CHECK ((closed_at IS NULL) = (stage IN ('NEW', 'IN_PROCESS', 'PROCESSED'))),
    CHECK (takes = 0 OR (contact IS NOT NULL AND closed_at IS NULL))
) WITH (fillfactor = 85);
-- One open lead: the two indexes together hold every lead of a contact once.
CREATE UNIQUE INDEX lead_takes ON lead (contact) WHERE takes = 1;
CREATE INDEX lead_other ON lead (contact, id) WHERE takes = 0 AND contact IS NOT NULL;
CREATE INDEX lead_open ON lead (stage, id) WHERE closed_at IS NULL AND test = 0;
CREATE INDEX lead_responsible ON lead (responsible, id) WHERE responsible IS NOT NULL;
CREATE INDEX lead_source ON lead (source, id);
CREATE INDEX lead_created ON lead (created_at, id);

CREATE TABLE lead_history (
    lead   bigint NOT NULL REFERENCES lead (id) ON DELETE CASCADE,
    n      bigint NOT NULL,
    at     bigint NOT NULL,
    actor  text   NOT NULL,
    field  text   NOT NULL,
    old    text,
    new    text,
    PRIMARY KEY (lead, n)
);

CREATE TABLE activity (
    id           bigint   PRIMARY KEY,
    kind         text     NOT NULL CHECK (kind IN ('form', 'email', 'message', 'call', 'note')),
    lead         bigint   REFERENCES lead (id),
    contact      bigint,
    source       text     COLLATE "C",                           -- absent for notes
    submission   bigint,                                         -- the delivery that made it
    external_key text     COLLATE "C",                           -- the source's own id of it
    author       text,                                           -- who wrote it, for notes
    occurred_at  bigint   NOT NULL,
    ambiguous    smallint NOT NULL CHECK (ambiguous IN (0, 1)),
    suspect      smallint NOT NULL CHECK (suspect IN (0, 1)),
    revised      smallint NOT NULL CHECK (revised IN (0, 1)),    -- under a known key with other content
    revisions    bigint   NOT NULL,
    touch        text,
    content      text     NOT NULL CHECK (content::json IS NOT NULL)
);
CREATE INDEX activity_lead ON activity (lead, id) WHERE lead IS NOT NULL;
CREATE INDEX activity_contact ON activity (contact, id) WHERE lead IS NULL;
CREATE UNIQUE INDEX activity_external ON activity (source, external_key) WHERE external_key IS NOT NULL;

-- What an activity told before a later delivery amended it.
CREATE TABLE activity_revision (
    activity   bigint NOT NULL REFERENCES activity (id) ON DELETE CASCADE,
    n          bigint NOT NULL,
    submission bigint NOT NULL,                                  -- the delivery that amended it
    at         bigint NOT NULL,
    touch      text   CHECK (touch IS NULL OR touch::json IS NOT NULL),
    content    text   NOT NULL CHECK (content::json IS NOT NULL),
    PRIMARY KEY (activity, n)
);

-- By what later deliveries may refer to an activity: a message id, a chat, a call.
CREATE TABLE activity_ref (
    scope    text   NOT NULL COLLATE "C",
    value    text   NOT NULL COLLATE "C",
    activity bigint NOT NULL,
    PRIMARY KEY (scope, value)
);

-- Every detach, with the rows as they were, so that it can be undone.
CREATE TABLE activity_move (
    id           bigint PRIMARY KEY,
    activity     bigint NOT NULL,
    from_lead    bigint,
    from_contact bigint,
    to_lead      bigint,
    to_contact   bigint,
    actor        text   NOT NULL,
    at           bigint NOT NULL,
    before       text   NOT NULL CHECK (before::json IS NOT NULL),
    undone_at    bigint,
    undone_by    text
);

-- -------------------------------------------------------------------------------------------------------- submissions

CREATE TABLE submission (
    seq           bigint   PRIMARY KEY,
    id            bytea    NOT NULL UNIQUE CHECK (length(id) = 16),
    source        text     NOT NULL COLLATE "C",
    received_at   bigint   NOT NULL,
    outcome       text     NOT NULL COLLATE "C" CHECK (outcome IN ('created', 'attached', 'returned', 'amended', 'probe', 'test',
                                                                   'noted', 'spam', 'quarantined')),   -- of the newest receipt
    receipt       bigint   NOT NULL,                             -- the number of the newest receipt
    repeats       bigint   NOT NULL,
    authenticated smallint NOT NULL CHECK (authenticated IN (0, 1)),
    historic      smallint NOT NULL CHECK (historic IN (0, 1)),
    size          bigint   NOT NULL,                             -- bytes kept
    content_type  text     NOT NULL,
    query         text     NOT NULL,
    peer          text,
    sha256        bytea    NOT NULL CHECK (length(sha256) = 32), -- of the original bytes
    codec         text     NOT NULL CHECK (codec IN ('plain', 'zstd')),
    raw           bytea    NOT NULL
) WITH (fillfactor = 95);
-- What is packed already is not packed again.
ALTER TABLE submission ALTER COLUMN raw SET STORAGE EXTERNAL;
CREATE INDEX submission_source ON submission (source, seq);
CREATE INDEX submission_received ON submission (received_at, seq);
CREATE INDEX submission_outcome ON submission (outcome, seq) WHERE outcome NOT IN ('created', 'attached');
-- What nobody vouches for: a ring per source.
CREATE INDEX submission_ring ON submission (source, seq, size, received_at) WHERE authenticated = 0;

-- Every answer to a submission, oldest first.
CREATE TABLE receipt (
    submission bigint NOT NULL REFERENCES submission (seq) ON DELETE CASCADE,
    n          bigint NOT NULL,
    outcome    text   NOT NULL,
    lead       bigint,
    contact    bigint,
    activity   bigint,
    reasons    text   NOT NULL,
    PRIMARY KEY (submission, n)
);

-- Deliveries that repeated another: what a sender was told as a reference leads to the one that was kept.
CREATE TABLE submission_repeat (
    id         bytea  NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    submission bigint NOT NULL REFERENCES submission (seq) ON DELETE CASCADE
);
CREATE INDEX submission_repeat_of ON submission_repeat (submission);

-- The senders' ids of deliveries, and content hashes where a sender gives none.
CREATE TABLE submission_key (
    source     text   NOT NULL COLLATE "C",
    scope      text   NOT NULL COLLATE "C",
    value      text   NOT NULL COLLATE "C",
    submission bigint NOT NULL,
    at         bigint NOT NULL,
    content    bytea  NOT NULL CHECK (length(content) = 32),
    earlier    bytea  NOT NULL CHECK (length(earlier) % 32 = 0),    -- contents before it, newest first
    PRIMARY KEY (source, scope, value)
);
CREATE INDEX submission_key_content ON submission_key (at) WHERE scope = 'content';

-- Which files of the attachment store a kept submission names.
CREATE TABLE attachment (
    sha256     text   NOT NULL COLLATE "C",
    submission bigint NOT NULL REFERENCES submission (seq) ON DELETE CASCADE,
    PRIMARY KEY (sha256, submission)
);
CREATE INDEX attachment_submission ON attachment (submission);

-- ----------------------------------------------------------------------------------------------------- what follows it

-- In the order they were told. Their ids are derived from what they tell of, so nothing is told twice: no index is needed.
CREATE TABLE event (
    seq      bigint   GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    id       bytea    NOT NULL CHECK (length(id) = 16),
    name     text     NOT NULL,
    version  bigint   NOT NULL,                                  -- of the shape of `data`
    at       bigint   NOT NULL,
    historic smallint NOT NULL CHECK (historic IN (0, 1)),       -- no outward effects
    data     text     NOT NULL                                   -- ids only
);

-- ------------------------------------------------------------------------------------------------------------ sources

CREATE TABLE source_health (
    source         text   NOT NULL COLLATE "C" PRIMARY KEY,
    last_accepted  bigint,
    last_rejected  bigint,
    last_rejection text,
    refused        bigint NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE source_count (
    source  text   NOT NULL COLLATE "C",
    outcome text   NOT NULL COLLATE "C",
    n       bigint NOT NULL,
    PRIMARY KEY (source, outcome)
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- A pull source's place, and the lease under which it is read.
CREATE TABLE cursor (
    source      text   NOT NULL COLLATE "C" PRIMARY KEY,
    value       text   CHECK (value IS NULL OR value::json IS NOT NULL),
    lease_owner text,
    lease_until bigint,
    fence       bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- ------------------------------------------------------------------------------------------------------------- access

CREATE TABLE api_token (
    id         bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    name       text   NOT NULL COLLATE "C",
    hash       bytea  NOT NULL UNIQUE CHECK (length(hash) = 32),
    scopes     text   NOT NULL CHECK (scopes::json IS NOT NULL),
    sources    text   CHECK (sources IS NULL OR sources::json IS NOT NULL),
    created_at bigint NOT NULL,
    revoked_at bigint
);
CREATE UNIQUE INDEX api_token_name ON api_token (name) WHERE revoked_at IS NULL;
