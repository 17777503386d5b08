-- +goose Up
CREATE TABLE workspaces (
    id         TEXT PRIMARY KEY,
    slug       TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    plan       TEXT NOT NULL CHECK (plan IN ('team', 'enterprise')),
    created_at DATETIME NOT NULL
);

CREATE TABLE connections (
    id           TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    provider     TEXT NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('active', 'paused', 'deleted')),
    stamp        INTEGER NOT NULL DEFAULT 0,
    created_at   DATETIME NOT NULL,
    UNIQUE (id, workspace_id)
);

CREATE TABLE tokens (
    id            TEXT PRIMARY KEY,
    connection_id TEXT NOT NULL REFERENCES connections (id),
    hash          BLOB NOT NULL UNIQUE,
    last_four     TEXT NOT NULL,
    created_at    DATETIME NOT NULL,
    first_used_at DATETIME,
    last_used_at  DATETIME,
    ends_at       DATETIME
);
CREATE INDEX tokens_connection ON tokens (connection_id);

-- No foreign key to the workspace, for the same reason as below.
CREATE TABLE members (
    id                TEXT PRIMARY KEY,
    workspace_id      TEXT NOT NULL,
    email             TEXT NOT NULL,
    email_key         TEXT NOT NULL,
    name              TEXT NOT NULL,
    role              TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
    status            TEXT NOT NULL CHECK (status IN ('invited', 'active', 'deactivated')),
    directory_user_id TEXT,
    applied_version   INTEGER NOT NULL DEFAULT 0,
    period            INTEGER NOT NULL DEFAULT 0,
    accepted_at       DATETIME,
    session_epoch     INTEGER NOT NULL DEFAULT 0,
    deactivated_at    DATETIME,
    created_at        DATETIME NOT NULL,
    updated_at        DATETIME NOT NULL,
    UNIQUE (id, workspace_id)
);
CREATE UNIQUE INDEX members_email ON members (email_key, workspace_id) WHERE email_key <> '';
CREATE UNIQUE INDEX members_directory_user ON members (directory_user_id) WHERE directory_user_id IS NOT NULL;
CREATE INDEX members_list ON members (workspace_id, id);
CREATE INDEX members_owners ON members (workspace_id) WHERE role = 'owner' AND status = 'active';

-- Desired state: people. external_id and user_name_key are unique among the living. There is no foreign key to the
-- connection: every insert of a bulk assignment would take a lock on that one row.
CREATE TABLE directory_users (
    id            TEXT PRIMARY KEY,
    workspace_id  TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    user_name     TEXT NOT NULL,
    user_name_key TEXT NOT NULL,
    external_id   TEXT,
    email         TEXT NOT NULL,
    email_key     TEXT NOT NULL,
    email_count   INTEGER NOT NULL,
    display_name  TEXT NOT NULL,
    active        BOOLEAN NOT NULL,
    linked        BOOLEAN NOT NULL,
    mirror_of     TEXT,
    version       INTEGER NOT NULL,
    period        INTEGER NOT NULL,
    kept_version  INTEGER NOT NULL DEFAULT 0,
    resource      TEXT NOT NULL,
    created_at    DATETIME NOT NULL,
    updated_at    DATETIME NOT NULL,
    removed_at    DATETIME,
    FOREIGN KEY (workspace_id, mirror_of) REFERENCES members (workspace_id, id)
);
CREATE UNIQUE INDEX directory_users_user_name ON directory_users (user_name_key, connection_id) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX directory_users_external_id ON directory_users (external_id, connection_id) WHERE removed_at IS NULL AND external_id IS NOT NULL;
CREATE INDEX directory_users_list ON directory_users (connection_id, id) WHERE removed_at IS NULL;
CREATE INDEX directory_users_email ON directory_users (email_key, connection_id) WHERE removed_at IS NULL;
CREATE INDEX directory_users_emails ON directory_users (connection_id) WHERE email_count > 1 AND removed_at IS NULL;
CREATE INDEX directory_users_mirror_of ON directory_users (mirror_of) WHERE mirror_of IS NOT NULL;

CREATE TABLE directory_groups (
    id            TEXT PRIMARY KEY,
    workspace_id  TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    display_name  TEXT NOT NULL,
    name_key      TEXT NOT NULL,
    external_id   TEXT NOT NULL DEFAULT '',
    version       INTEGER NOT NULL,
    created_at    DATETIME NOT NULL,
    updated_at    DATETIME NOT NULL,
    removed_at    DATETIME,
    FOREIGN KEY (workspace_id, connection_id) REFERENCES connections (workspace_id, id)
);
CREATE UNIQUE INDEX directory_groups_name ON directory_groups (name_key, connection_id) WHERE removed_at IS NULL;
CREATE INDEX directory_groups_list ON directory_groups (connection_id, id) WHERE removed_at IS NULL;
CREATE INDEX directory_groups_external_id ON directory_groups (external_id, connection_id) WHERE removed_at IS NULL AND external_id <> '';

-- version is the group's version at which the row last changed; a removed row is a tombstone until it is applied.
CREATE TABLE memberships (
    group_id TEXT NOT NULL REFERENCES directory_groups (id),
    user_id  TEXT NOT NULL REFERENCES directory_users (id),
    version  INTEGER NOT NULL,
    removed  BOOLEAN NOT NULL,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);
CREATE INDEX memberships_version ON memberships (group_id, version);

CREATE TABLE waiting_members (
    group_id      TEXT NOT NULL REFERENCES directory_groups (id),
    value         TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    display       TEXT NOT NULL,
    created_at    DATETIME NOT NULL,
    PRIMARY KEY (group_id, value)
);
CREATE INDEX waiting_members_value ON waiting_members (value, connection_id);
CREATE INDEX waiting_members_age ON waiting_members (created_at);

CREATE TABLE teams (
    id              TEXT PRIMARY KEY,
    workspace_id    TEXT NOT NULL REFERENCES workspaces (id),
    name            TEXT NOT NULL,
    group_id        TEXT REFERENCES directory_groups (id),
    applied_version INTEGER NOT NULL DEFAULT 0,
    created_at      DATETIME NOT NULL,
    updated_at      DATETIME NOT NULL,
    UNIQUE (id, workspace_id)
);
CREATE UNIQUE INDEX teams_group ON teams (group_id) WHERE group_id IS NOT NULL;
CREATE INDEX teams_workspace ON teams (workspace_id);

CREATE TABLE team_members (
    workspace_id TEXT NOT NULL,
    team_id      TEXT NOT NULL,
    member_id    TEXT NOT NULL,
    PRIMARY KEY (team_id, member_id),
    FOREIGN KEY (workspace_id, team_id) REFERENCES teams (workspace_id, id) ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, member_id) REFERENCES members (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX team_members_member ON team_members (member_id);

CREATE TABLE invitations (
    id           TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    member_id    TEXT NOT NULL,
    user_id      TEXT,
    period       INTEGER NOT NULL,
    email        TEXT NOT NULL,
    email_key    TEXT NOT NULL,
    token_hash   BLOB NOT NULL UNIQUE,
    state        TEXT NOT NULL CHECK (state IN ('open', 'accepted', 'void', 'expired')),
    expires_at   DATETIME NOT NULL,
    created_at   DATETIME NOT NULL,
    UNIQUE (member_id, user_id, period, email_key),
    FOREIGN KEY (workspace_id, member_id) REFERENCES members (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX invitations_expiry ON invitations (expires_at) WHERE state = 'open';

CREATE TABLE operations (
    id            TEXT PRIMARY KEY,
    workspace_id  TEXT NOT NULL,
    connection_id TEXT,
    kind          TEXT NOT NULL,
    class         TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id   TEXT NOT NULL,
    version       INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('pending', 'running', 'done', 'superseded', 'held', 'failed')),
    attempts      INTEGER NOT NULL DEFAULT 0,
    error         TEXT NOT NULL DEFAULT '',
    not_before    DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')),
    claim_no      INTEGER NOT NULL DEFAULT 0,
    lapses        INTEGER NOT NULL DEFAULT 0,
    lease_until   DATETIME,
    dispatches    INTEGER NOT NULL DEFAULT 0,
    dispatched_at DATETIME,
    queue         TEXT NOT NULL DEFAULT '',
    request_id    TEXT NOT NULL DEFAULT '',
    created_at    DATETIME NOT NULL,
    finished_at   DATETIME
);
CREATE INDEX operations_workspace ON operations (workspace_id, id);
-- The conditions name columns that a claim does not touch, so that Postgres can update the row in place (HOT); the free
-- space of each page is for that.
CREATE INDEX operations_resource ON operations (resource_id) WHERE finished_at IS NULL OR error <> '';
CREATE INDEX operations_open ON operations (class, dispatched_at, not_before) WHERE finished_at IS NULL;
CREATE INDEX operations_noted ON operations (workspace_id, id) WHERE error <> '';

CREATE TABLE mails (
    id            TEXT PRIMARY KEY,
    workspace_id  TEXT NOT NULL,
    operation_id  TEXT NOT NULL UNIQUE,
    member_id     TEXT NOT NULL,
    invitation_id TEXT REFERENCES invitations (id) ON DELETE CASCADE,
    kind          TEXT NOT NULL,
    recipient     TEXT NOT NULL,
    message_id    TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('ready', 'sending', 'committing', 'sent', 'unknown', 'failed')),
    claim_no      INTEGER NOT NULL DEFAULT 0,
    slot_at       DATETIME,
    response      TEXT NOT NULL DEFAULT '',
    created_at    DATETIME NOT NULL,
    sent_at       DATETIME
);
CREATE UNIQUE INDEX mails_invitation ON mails (invitation_id, kind) WHERE invitation_id IS NOT NULL;

-- The next moment at which a workspace may send a mail: pacing assigns not_before from here.
CREATE TABLE mail_pace (
    workspace_id TEXT PRIMARY KEY REFERENCES workspaces (id),
    next_at      DATETIME NOT NULL
);

CREATE TABLE audit_entries (
    id                  TEXT NOT NULL,
    workspace_id        TEXT NOT NULL,
    connection_id       TEXT,
    actor               TEXT NOT NULL,
    ip                  TEXT NOT NULL,
    method              TEXT NOT NULL,
    target_type         TEXT NOT NULL,
    target_id           TEXT NOT NULL,
    status              INTEGER NOT NULL,
    detail              TEXT NOT NULL,
    request_id          TEXT NOT NULL,
    provider_request_id TEXT NOT NULL,
    operation_id        TEXT,
    request             TEXT,
    at                  DATETIME NOT NULL,
    PRIMARY KEY (workspace_id, id)
);

-- One row per clock tick that must happen once: the scheduler may run more than once.
CREATE TABLE ticks (
    kind         TEXT NOT NULL,
    window_start DATETIME NOT NULL,
    PRIMARY KEY (kind, window_start)
);

CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- +goose Down
DROP TABLE settings;
DROP TABLE ticks;
DROP TABLE audit_entries;
DROP TABLE mail_pace;
DROP TABLE mails;
DROP TABLE operations;
DROP TABLE invitations;
DROP TABLE team_members;
DROP TABLE teams;
DROP TABLE waiting_members;
DROP TABLE memberships;
DROP TABLE directory_groups;
DROP TABLE directory_users;
DROP TABLE members;
DROP TABLE tokens;
DROP TABLE connections;
DROP TABLE workspaces;
