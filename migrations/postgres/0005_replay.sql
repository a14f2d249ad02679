-- Expands: kept deliveries can be read again, a person can decide about them, and senders can be ignored.
--
-- A gateway that knows only 0004 goes on beside this: what it keeps has no head, and is read again without one.

-- What of the call's head the connector reads, as JSON; empty if it reads nothing of it.
ALTER TABLE submission ADD COLUMN head text NOT NULL DEFAULT '';
-- The person who released or dropped it last, and when.
ALTER TABLE submission ADD COLUMN decided_by text;
ALTER TABLE submission ADD COLUMN decided_at bigint;

-- A delivery that waited may turn out to repeat another: its row stays, and says so. The rows that are there keep the
-- narrower check they were written under, so none is looked at.
ALTER TABLE submission DROP CONSTRAINT submission_outcome_check;
ALTER TABLE submission ADD CONSTRAINT submission_outcome_check
    CHECK (outcome IN ('created', 'attached', 'returned', 'amended', 'repeat', 'probe', 'test', 'noted', 'spam', 'quarantined'))
    NOT VALID;

-- Senders whose deliveries are kept without a lead.
CREATE TABLE ignored_sender (
    kind  text   NOT NULL COLLATE "C" CHECK (kind IN ('phone', 'email', 'domain')),
    value text   NOT NULL COLLATE "C",                           -- the canonical form
    at    bigint NOT NULL,
    actor text   NOT NULL,                                       -- who said so
    PRIMARY KEY (kind, value)
);
