-- +goose Up
-- How the people of a connection sign in at their provider: SAML 2.0. version rises with whatever an answer is held
-- against; a test speaks for the version it was made with.
CREATE TABLE saml_setups (
    connection_id   TEXT PRIMARY KEY REFERENCES connections (id),
    workspace_id    TEXT NOT NULL REFERENCES workspaces (id),
    entity_id       TEXT NOT NULL,
    sign_in_url     TEXT NOT NULL,
    certificates    TEXT NOT NULL,  -- PEM: one, or two while the provider changes them
    key             BLOB,          -- of signed requests, sealed with the installation\'s secret; NULL where they are not signed
    key_certificate TEXT NOT NULL DEFAULT '',
    unrequested     BOOLEAN NOT NULL DEFAULT false,
    version         INTEGER NOT NULL,
    passed_version  INTEGER NOT NULL DEFAULT 0,
    tested_at       DATETIME,
    test_report     TEXT NOT NULL DEFAULT '',
    warned_days     INTEGER NOT NULL DEFAULT 0,
    updated_by      TEXT NOT NULL,
    created_at      DATETIME NOT NULL,
    updated_at      DATETIME NOT NULL
);
CREATE INDEX saml_setups_workspace ON saml_setups (workspace_id);

-- What this service asked a provider, and in which browser. An answer to anything else is refused.
CREATE TABLE saml_requests (
    id            TEXT PRIMARY KEY,
    connection_id TEXT NOT NULL REFERENCES connections (id),
    browser_hash  BLOB NOT NULL,
    purpose       TEXT NOT NULL CHECK (purpose IN ('signin', 'again', 'test')),
    next          TEXT NOT NULL,
    member_id     TEXT,
    session_id    TEXT,
    invitation_id TEXT,
    ip            TEXT NOT NULL,
    created_at    DATETIME NOT NULL,
    expires_at    DATETIME NOT NULL,
    used_at       DATETIME
);
CREATE INDEX saml_requests_browser ON saml_requests (browser_hash, id);
CREATE INDEX saml_requests_ip ON saml_requests (ip, created_at);
CREATE INDEX saml_requests_age ON saml_requests (expires_at);

-- Assertions that were used, until nobody would take them any more.
CREATE TABLE saml_assertions (
    connection_id  TEXT NOT NULL,
    assertion_hash BLOB NOT NULL,
    expires_at     DATETIME NOT NULL,
    PRIMARY KEY (connection_id, assertion_hash)
);
CREATE INDEX saml_assertions_age ON saml_assertions (expires_at);

-- Persistent name identifiers that are neither userName nor externalId, bound to a person by their invitation.
CREATE TABLE saml_subjects (
    connection_id TEXT NOT NULL,
    name_id       TEXT NOT NULL,
    user_id       TEXT NOT NULL REFERENCES directory_users (id) ON DELETE CASCADE,
    created_at    DATETIME NOT NULL,
    PRIMARY KEY (connection_id, name_id)
);
CREATE UNIQUE INDEX saml_subjects_user ON saml_subjects (user_id);

ALTER TABLE sessions ADD COLUMN connection_id TEXT; -- that the person signed in through, NULL for a link
-- The member's session_epoch when the link was made: whatever ends their sessions ends their links.
ALTER TABLE sign_in_links ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sessions_connection ON sessions (connection_id) WHERE connection_id IS NOT NULL;

-- require_sso is the connection that everybody signs in through but break_glass, an owner.
ALTER TABLE workspaces ADD COLUMN require_sso TEXT;
ALTER TABLE workspaces ADD COLUMN break_glass TEXT;

-- +goose Down
ALTER TABLE workspaces DROP COLUMN require_sso;
ALTER TABLE workspaces DROP COLUMN break_glass;
ALTER TABLE sign_in_links DROP COLUMN epoch;
DROP INDEX sessions_connection;
DELETE FROM sessions WHERE connection_id IS NOT NULL;
ALTER TABLE sessions DROP COLUMN connection_id;
DROP TABLE saml_subjects;
DROP TABLE saml_assertions;
DROP TABLE saml_requests;
DROP TABLE saml_setups;
