-- +goose Up
ALTER TABLE connections ADD COLUMN created_by       TEXT NOT NULL DEFAULT '';
ALTER TABLE connections ADD COLUMN sender_name      TEXT NOT NULL DEFAULT '';
ALTER TABLE connections ADD COLUMN send_invitations BOOLEAN NOT NULL DEFAULT true;
ALTER TABLE connections ADD COLUMN invitation_hold  INTEGER;

ALTER TABLE tokens ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN uses       INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN first_ip   TEXT NOT NULL DEFAULT '';

-- role is what a member may do; it is hand_role unless a group gives one, which role_group_id names then.
ALTER TABLE members ADD COLUMN hand_role     TEXT NOT NULL DEFAULT 'member';
ALTER TABLE members ADD COLUMN role_group_id TEXT;
ALTER TABLE members ADD COLUMN removed_by    TEXT NOT NULL DEFAULT '';
UPDATE members SET hand_role = role;
CREATE INDEX members_status ON members (workspace_id, status, id);
CREATE INDEX members_role_group ON members (role_group_id) WHERE role_group_id IS NOT NULL;
CREATE INDEX members_admins ON members (workspace_id, role, id) WHERE role <> 'member';

-- What a group gives its people. version is the group's version at which the row last changed; an empty role is a
-- tombstone until it is applied.
CREATE TABLE role_mappings (
    group_id      TEXT PRIMARY KEY REFERENCES directory_groups (id),
    workspace_id  TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('', 'admin', 'member')),
    version       INTEGER NOT NULL,
    created_by    TEXT NOT NULL,
    created_at    DATETIME NOT NULL
);
CREATE INDEX role_mappings_connection ON role_mappings (connection_id);

ALTER TABLE operations ADD COLUMN approved_by TEXT NOT NULL DEFAULT '';
DROP INDEX operations_resource;
CREATE INDEX operations_resource ON operations (resource_id, version);
-- attempts changes with a failure alone, so that a claim and a settlement do not touch this index.
DROP INDEX operations_noted;
CREATE INDEX operations_failed ON operations (workspace_id, id) WHERE error <> '' AND attempts > 0;
CREATE INDEX operations_held ON operations (workspace_id, id) WHERE error LIKE 'held:%';

ALTER TABLE audit_entries ADD COLUMN user_agent  TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_entries ADD COLUMN changes     TEXT; -- JSON: what the request changed, attribute by attribute
ALTER TABLE audit_entries ADD COLUMN took_micros INTEGER;
CREATE INDEX audit_entries_target ON audit_entries (target_id, id);
CREATE INDEX audit_entries_provider_request ON audit_entries (provider_request_id) WHERE provider_request_id <> '';
-- The few among the many: what was refused, and what no provider's request is. Requests that are accepted touch neither.
CREATE INDEX audit_entries_refused ON audit_entries (workspace_id, id) WHERE status >= 400;
CREATE INDEX audit_entries_by_hand ON audit_entries (workspace_id, id) WHERE NOT (method = upper(method) OR method = 'other');

-- copy counts the mails of one kind for one invitation: more than one only by hand.
ALTER TABLE mails ADD COLUMN copy INTEGER NOT NULL DEFAULT 0;
DROP INDEX mails_invitation;
CREATE UNIQUE INDEX mails_invitation ON mails (invitation_id, kind, copy) WHERE invitation_id IS NOT NULL;
CREATE INDEX mails_member ON mails (member_id);

CREATE TABLE sessions (
    id           TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    member_id    TEXT NOT NULL,
    token_hash   BLOB NOT NULL UNIQUE,
    method       TEXT NOT NULL,
    role         TEXT NOT NULL,
    epoch        INTEGER NOT NULL,
    ip           TEXT NOT NULL,
    user_agent   TEXT NOT NULL,
    created_at   DATETIME NOT NULL,
    seen_at      DATETIME NOT NULL,
    proved_at    DATETIME NOT NULL,
    ended_at     DATETIME,
    FOREIGN KEY (workspace_id, member_id) REFERENCES members (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX sessions_member ON sessions (member_id);
CREATE INDEX sessions_age ON sessions (created_at);

-- member_id is NULL where the address is nobody's: the asker must not learn that.
CREATE TABLE sign_in_links (
    id           TEXT PRIMARY KEY,
    token_hash   BLOB NOT NULL UNIQUE,
    email_key    TEXT NOT NULL,
    member_id    TEXT,
    browser_hash BLOB,
    next         TEXT NOT NULL DEFAULT '',
    ip           TEXT NOT NULL,
    created_at   DATETIME NOT NULL,
    expires_at   DATETIME NOT NULL,
    used_at      DATETIME
);
CREATE INDEX sign_in_links_email ON sign_in_links (email_key, created_at);
CREATE INDEX sign_in_links_ip ON sign_in_links (ip, created_at);

-- What a connection's provider did last, flushed each second from memory.
CREATE TABLE connection_health (
    connection_id    TEXT PRIMARY KEY REFERENCES connections (id),
    first_success_at DATETIME,
    last_at          DATETIME,
    last_method      TEXT NOT NULL DEFAULT '',
    last_route       TEXT NOT NULL DEFAULT '',
    last_status      INTEGER NOT NULL DEFAULT 0,
    last_micros      INTEGER NOT NULL DEFAULT 0,
    last_ip          TEXT NOT NULL DEFAULT '',
    last_agent       TEXT NOT NULL DEFAULT '',
    error_at         DATETIME,
    error_kind       TEXT NOT NULL DEFAULT '',
    error_status     INTEGER NOT NULL DEFAULT 0,
    error_detail     TEXT NOT NULL DEFAULT ''
);
CREATE TABLE connection_hours (
    connection_id TEXT NOT NULL REFERENCES connections (id),
    hour          DATETIME NOT NULL,
    requests      INTEGER NOT NULL,
    failures      INTEGER NOT NULL,
    micros        INTEGER NOT NULL,
    PRIMARY KEY (connection_id, hour)
);

-- A burst of people on one connection. The figures are as of the last pass of the scheduler.
CREATE TABLE runs (
    id            TEXT PRIMARY KEY,
    workspace_id  TEXT NOT NULL,
    connection_id TEXT NOT NULL REFERENCES connections (id),
    title         TEXT NOT NULL,
    started_at    DATETIME NOT NULL,
    last_at       DATETIME NOT NULL,
    ended_at      DATETIME,
    received      INTEGER NOT NULL DEFAULT 0,
    applied       INTEGER NOT NULL DEFAULT 0,
    waiting       INTEGER NOT NULL DEFAULT 0,
    failed        INTEGER NOT NULL DEFAULT 0,
    held          INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX runs_workspace ON runs (workspace_id, id);
CREATE UNIQUE INDEX runs_open ON runs (connection_id) WHERE ended_at IS NULL;

-- +goose Down
DROP TABLE runs;
DROP TABLE connection_hours;
DROP TABLE connection_health;
DROP TABLE sign_in_links;
DROP TABLE sessions;
DROP INDEX mails_member;
DROP INDEX mails_invitation;
DELETE FROM mails WHERE copy > 0;
ALTER TABLE mails DROP COLUMN copy;
CREATE UNIQUE INDEX mails_invitation ON mails (invitation_id, kind) WHERE invitation_id IS NOT NULL;
DROP INDEX audit_entries_by_hand;
DROP INDEX audit_entries_refused;
DROP INDEX audit_entries_provider_request;
DROP INDEX audit_entries_target;
ALTER TABLE audit_entries DROP COLUMN user_agent;
ALTER TABLE audit_entries DROP COLUMN changes;
ALTER TABLE audit_entries DROP COLUMN took_micros;
DROP INDEX operations_held;
DROP INDEX operations_failed;
DROP INDEX operations_resource;
CREATE INDEX operations_noted ON operations (workspace_id, id) WHERE error <> '';
CREATE INDEX operations_resource ON operations (resource_id) WHERE finished_at IS NULL OR error <> '';
ALTER TABLE operations DROP COLUMN approved_by;
DROP TABLE role_mappings;
DROP INDEX members_admins;
DROP INDEX members_role_group;
DROP INDEX members_status;
ALTER TABLE members DROP COLUMN hand_role;
ALTER TABLE members DROP COLUMN role_group_id;
ALTER TABLE members DROP COLUMN removed_by;
ALTER TABLE tokens DROP COLUMN created_by;
ALTER TABLE tokens DROP COLUMN uses;
ALTER TABLE tokens DROP COLUMN first_ip;
ALTER TABLE connections DROP COLUMN created_by;
ALTER TABLE connections DROP COLUMN sender_name;
ALTER TABLE connections DROP COLUMN send_invitations;
ALTER TABLE connections DROP COLUMN invitation_hold;
