-- +goose Up
-- How the people of a connection sign in at their provider: SAML 2.0. version rises with whatever an answer is held
-- against; a test speaks for the version it was made with.
CREATE TABLE saml_setups (
    connection_id   uuid PRIMARY KEY REFERENCES connections (id),
    workspace_id    uuid NOT NULL REFERENCES workspaces (id),
    entity_id       text NOT NULL,
    sign_in_url     text NOT NULL,
    certificates    text NOT NULL,  -- PEM: one, or two while the provider changes them
    key             bytea,          -- of signed requests, sealed with the installation\'s secret; NULL where they are not signed
    key_certificate text NOT NULL DEFAULT '',
    unrequested     boolean NOT NULL DEFAULT false,
    version         bigint NOT NULL,
    passed_version  bigint NOT NULL DEFAULT 0,
    tested_at       timestamptz,
    test_report     text NOT NULL DEFAULT '',
    warned_days     integer NOT NULL DEFAULT 0,
    updated_by      text NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
);
CREATE INDEX saml_setups_workspace ON saml_setups (workspace_id);

-- What this service asked a provider, and in which browser. An answer to anything else is refused.
CREATE TABLE saml_requests (
    id            text PRIMARY KEY,
    connection_id uuid NOT NULL REFERENCES connections (id),
    browser_hash  bytea NOT NULL,
    purpose       text NOT NULL CHECK (purpose IN ('signin', 'again', 'test')),
    next          text NOT NULL,
    member_id     uuid,
    session_id    uuid,
    invitation_id uuid,
    ip            text NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    used_at       timestamptz
);
CREATE INDEX saml_requests_browser ON saml_requests (browser_hash, id);
CREATE INDEX saml_requests_ip ON saml_requests (ip, created_at);
CREATE INDEX saml_requests_age ON saml_requests (expires_at);

-- Assertions that were used, until nobody would take them any more.
CREATE TABLE saml_assertions (
    connection_id  uuid NOT NULL,
    assertion_hash bytea NOT NULL,
    expires_at     timestamptz NOT NULL,
    PRIMARY KEY (connection_id, assertion_hash)
);
CREATE INDEX saml_assertions_age ON saml_assertions (expires_at);

-- Persistent name identifiers that are neither userName nor externalId, bound to a person by their invitation.
CREATE TABLE saml_subjects (
    connection_id uuid NOT NULL,
    name_id       text NOT NULL,
    user_id       uuid NOT NULL REFERENCES directory_users (id) ON DELETE CASCADE,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (connection_id, name_id)
);
CREATE UNIQUE INDEX saml_subjects_user ON saml_subjects (user_id);

ALTER TABLE sessions ADD COLUMN connection_id uuid; -- that the person signed in through, NULL for a link
-- The member's session_epoch when the link was made: whatever ends their sessions ends their links.
ALTER TABLE sign_in_links ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
CREATE INDEX sessions_connection ON sessions (connection_id) WHERE connection_id IS NOT NULL;

-- require_sso is the connection that everybody signs in through but break_glass, an owner.
ALTER TABLE workspaces
    ADD COLUMN require_sso uuid,
    ADD COLUMN break_glass uuid;

-- +goose Down
ALTER TABLE workspaces DROP COLUMN require_sso, DROP COLUMN break_glass;
ALTER TABLE sign_in_links DROP COLUMN epoch;
DROP INDEX sessions_connection;
DELETE FROM sessions WHERE connection_id IS NOT NULL;
ALTER TABLE sessions DROP COLUMN connection_id;
DROP TABLE saml_subjects, saml_assertions, saml_requests, saml_setups;
