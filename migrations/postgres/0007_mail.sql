-- Expands: mails. Addresses that cannot be reached, forms and their notifications, how sources are read, and their usual rate.
--
-- A gateway that does not know this goes on beside it: what it records has no hours and awaits nothing.

-- Since when an address cannot be reached, the status (RFC 3463) and what the server said last.
ALTER TABLE identity ADD COLUMN failed_since bigint;
ALTER TABLE identity ADD COLUMN failed_status text;
ALTER TABLE identity ADD COLUMN failed_words text;

-- Deliveries that tell of an activity or a contact without being an activity: the notification of a form that came by
-- itself, a mail that could not be delivered. They go when the person is erased. `n` counts what one delivery tells of.
CREATE TABLE submission_about (
    submission bigint NOT NULL REFERENCES submission (seq) ON DELETE CASCADE,
    n          bigint NOT NULL,
    activity   bigint,
    contact    bigint,                                          -- only where there is no activity
    PRIMARY KEY (submission, n)
);
CREATE INDEX submission_about_activity ON submission_about (activity) WHERE activity IS NOT NULL;
CREATE INDEX submission_about_contact ON submission_about (contact) WHERE contact IS NOT NULL;

-- Notifications of a form whose own delivery has not come: until it does, or another of that form after it.
CREATE TABLE awaited_twin (
    submission bigint NOT NULL PRIMARY KEY REFERENCES submission (seq) ON DELETE CASCADE,
    form       text NOT NULL COLLATE "C",                              -- the source that should have brought it
    at         bigint NOT NULL
);
CREATE INDEX awaited_twin_form ON awaited_twin (form, at);

-- How much a source brought in each hour, for telling silence from a quiet hour.
CREATE TABLE source_hour (
    source text NOT NULL COLLATE "C",
    hour   bigint NOT NULL,                                     -- hours since 1970
    n      bigint NOT NULL,
    PRIMARY KEY (source, hour)
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- What those who read a source and those who look after it tell each other.
CREATE TABLE source_note (
    source      text NOT NULL COLLATE "C" PRIMARY KEY,
    report      text,                                         -- how reading goes, JSON
    reported_at bigint,
    ask         text,                                         -- what a person asked for, JSON, until it is done
    asked_at    bigint
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
