-- Expands: mails. Addresses that cannot be reached, forms and their notifications, how sources are read, and their usual rate.
--
-- A gateway that does not know this goes on beside it: what it records has no hours and awaits nothing.

-- Since when an address cannot be reached, the status (RFC 3463) and what the server said last.
ALTER TABLE identity ADD COLUMN failed_since INTEGER;
ALTER TABLE identity ADD COLUMN failed_status TEXT;
ALTER TABLE identity ADD COLUMN failed_words TEXT;

-- Deliveries that tell of an activity or a contact without being an activity: the notification of a form that came by
-- itself, a mail that could not be delivered. They go when the person is erased. `n` counts what one delivery tells of.
CREATE TABLE submission_about (
    submission INTEGER NOT NULL REFERENCES submission (seq) ON DELETE CASCADE,
    n          INTEGER NOT NULL,
    activity   INTEGER,
    contact    INTEGER,                                          -- only where there is no activity
    PRIMARY KEY (submission, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX submission_about_activity ON submission_about (activity) WHERE activity IS NOT NULL;
CREATE INDEX submission_about_contact ON submission_about (contact) WHERE contact IS NOT NULL;

-- Notifications of a form whose own delivery has not come: until it does, or another of that form after it.
CREATE TABLE awaited_twin (
    submission INTEGER NOT NULL PRIMARY KEY REFERENCES submission (seq) ON DELETE CASCADE,
    form       TEXT NOT NULL,                              -- the source that should have brought it
    at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX awaited_twin_form ON awaited_twin (form, at);

-- How much a source brought in each hour, for telling silence from a quiet hour.
CREATE TABLE source_hour (
    source TEXT NOT NULL,
    hour   INTEGER NOT NULL,                                     -- hours since 1970
    n      INTEGER NOT NULL,
    PRIMARY KEY (source, hour)
) STRICT, WITHOUT ROWID;

-- What those who read a source and those who look after it tell each other.
CREATE TABLE source_note (
    source      TEXT NOT NULL PRIMARY KEY,
    report      TEXT,                                         -- how reading goes, JSON
    reported_at INTEGER,
    ask         TEXT,                                         -- what a person asked for, JSON, until it is done
    asked_at    INTEGER
) STRICT, WITHOUT ROWID;
