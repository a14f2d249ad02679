-- Expands: talks with customers by messenger. Campaigns' links, accounts of managers, how a chat stands, topics of leads.
--
-- A gateway that does not know this goes on beside it: it reads no messenger.

-- Links by which people come to a bot, and where they come from.
CREATE TABLE campaign (
    id         text   NOT NULL COLLATE "C" PRIMARY KEY,
    source     text   COLLATE "C",                               -- of this one only; absent: of every one
    touch      text   NOT NULL CHECK (touch::json IS NOT NULL),
    note       text   NOT NULL,
    created_at bigint NOT NULL,
    created_by text   NOT NULL
);
CREATE INDEX campaign_created ON campaign (created_at);

-- Accounts of managers at a messenger. An account is one manager's, and a manager has one at a source.
CREATE TABLE manager_account (
    source    text   NOT NULL COLLATE "C",
    kind      text   NOT NULL COLLATE "C",                       -- of identities: telegram
    value     text   NOT NULL COLLATE "C",
    manager   text   NOT NULL COLLATE "C",
    display   text   NOT NULL,
    chat      text   NOT NULL COLLATE "C",                       -- in which it reaches them
    linked_at bigint NOT NULL,
    PRIMARY KEY (source, kind, value)
);
CREATE UNIQUE INDEX manager_account_manager ON manager_account (manager, source);
CREATE INDEX manager_account_value ON manager_account (value, kind);

-- One-time codes by which a manager links an account: one of a manager.
CREATE TABLE manager_code (
    hash    bytea  NOT NULL PRIMARY KEY CHECK (length(hash) = 32), -- SHA-256
    manager text   NOT NULL COLLATE "C" UNIQUE,
    until   bigint NOT NULL
);

-- Accounts that said wrong codes, since the first of them.
CREATE TABLE code_try (
    kind  text   NOT NULL COLLATE "C",
    value text   NOT NULL COLLATE "C",
    n     bigint NOT NULL,
    since bigint NOT NULL,
    PRIMARY KEY (kind, value)
);

-- How a chat stands. A private one has the number of its person.
CREATE TABLE chat (
    source     text   NOT NULL COLLATE "C",
    chat       text   NOT NULL COLLATE "C",                      -- the messenger's own id
    version    bigint NOT NULL,
    dialogue   text   NOT NULL CHECK (dialogue::json IS NOT NULL),
    closed_at  bigint,                                           -- since when the bot may not write there
    moved_to   text   COLLATE "C",                               -- the chat it became
    changed_at bigint,
    PRIMARY KEY (source, chat)
);
CREATE INDEX chat_changed ON chat (changed_at) WHERE moved_to IS NULL;

-- Topics of leads in groups of the company.
CREATE TABLE topic (
    source text   NOT NULL COLLATE "C",
    chat   text   NOT NULL COLLATE "C",
    lead   bigint NOT NULL,
    topic  text   NOT NULL COLLATE "C",
    PRIMARY KEY (source, chat, lead)
);
CREATE UNIQUE INDEX topic_topic ON topic (source, chat, topic);
CREATE INDEX topic_lead ON topic (lead);
