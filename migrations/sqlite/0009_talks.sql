-- Expands: talks with customers by messenger. Campaigns' links, accounts of managers, how a chat stands, topics of leads.
--
-- A gateway that does not know this goes on beside it: it reads no messenger.

-- Links by which people come to a bot, and where they come from.
CREATE TABLE campaign (
    id         TEXT    NOT NULL PRIMARY KEY,
    source     TEXT,                                             -- of this one only; absent: of every one
    touch      TEXT    NOT NULL CHECK (json_valid(touch)),
    note       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX campaign_created ON campaign (created_at);

-- Accounts of managers at a messenger. An account is one manager's, and a manager has one at a source.
CREATE TABLE manager_account (
    source    TEXT    NOT NULL,
    kind      TEXT    NOT NULL,                                  -- of identities: telegram
    value     TEXT    NOT NULL,
    manager   TEXT    NOT NULL,
    display   TEXT    NOT NULL,
    chat      TEXT    NOT NULL,                                  -- in which it reaches them
    linked_at INTEGER NOT NULL,
    PRIMARY KEY (source, kind, value)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX manager_account_manager ON manager_account (manager, source);
CREATE INDEX manager_account_value ON manager_account (value, kind);

-- One-time codes by which a manager links an account: one of a manager.
CREATE TABLE manager_code (
    hash    BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),  -- SHA-256
    manager TEXT    NOT NULL UNIQUE,
    until   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Accounts that said wrong codes, since the first of them.
CREATE TABLE code_try (
    kind  TEXT    NOT NULL,
    value TEXT    NOT NULL,
    n     INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;

-- How a chat stands. A private one has the number of its person.
CREATE TABLE chat (
    source     TEXT    NOT NULL,
    chat       TEXT    NOT NULL,                                 -- the messenger's own id
    version    INTEGER NOT NULL,
    dialogue   TEXT    NOT NULL CHECK (json_valid(dialogue)),
    closed_at  INTEGER,                                          -- since when the bot may not write there
    moved_to   TEXT,                                             -- the chat it became
    changed_at INTEGER,
    PRIMARY KEY (source, chat)
) STRICT, WITHOUT ROWID;
CREATE INDEX chat_changed ON chat (changed_at) WHERE moved_to IS NULL;

-- Topics of leads in groups of the company.
CREATE TABLE topic (
    source TEXT    NOT NULL,
    chat   TEXT    NOT NULL,
    lead   INTEGER NOT NULL,
    topic  TEXT    NOT NULL,
    PRIMARY KEY (source, chat, lead)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX topic_topic ON topic (source, chat, topic);
CREATE INDEX topic_lead ON topic (lead);
