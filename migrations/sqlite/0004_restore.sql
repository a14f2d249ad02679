-- Every time this database was put back from a backup.
--
-- What was told to others between the backup and the restore is not in here. So what follows from events up to `last_event`
-- (mails, webhooks, messages) may have been delivered already: jobs for them that the backup holds as waiting are not sent
-- by themselves after a restore, a person decides.
CREATE TABLE restore (
    id             INTEGER PRIMARY KEY,
    at             INTEGER NOT NULL,
    backup_at      INTEGER NOT NULL,                             -- when the backup was made
    backup_version TEXT    NOT NULL,                             -- by which version of the gateway
    last_event     INTEGER NOT NULL                              -- the greatest event.seq in it, 0 if there is none
) STRICT;
