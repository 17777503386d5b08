-- +goose Up
CREATE TABLE workspaces (
    id         uuid PRIMARY KEY,
    slug       text NOT NULL UNIQUE,
    name       text NOT NULL,
    plan       text NOT NULL CHECK (plan IN ('team', 'enterprise')),
    created_at timestamptz NOT NULL
);

CREATE TABLE connections (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    provider     text NOT NULL,
    status       text NOT NULL CHECK (status IN ('active', 'paused', 'deleted')),
    stamp        bigint NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    UNIQUE (id, workspace_id)
);

CREATE TABLE tokens (
    id            uuid PRIMARY KEY,
    connection_id uuid NOT NULL REFERENCES connections (id),
    hash          bytea NOT NULL UNIQUE,
    last_four     text NOT NULL,
    created_at    timestamptz NOT NULL,
    first_used_at timestamptz,
    last_used_at  timestamptz,
    ends_at       timestamptz
);
CREATE INDEX tokens_connection ON tokens (connection_id);

-- No foreign key to the workspace, for the same reason as below.
CREATE TABLE members (
    id                uuid PRIMARY KEY,
    workspace_id      uuid NOT NULL,
    email             text NOT NULL,
    email_key         text NOT NULL,
    name              text NOT NULL,
    role              text NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
    status            text NOT NULL CHECK (status IN ('invited', 'active', 'deactivated')),
    directory_user_id uuid,
    applied_version   bigint NOT NULL DEFAULT 0,
    period            bigint NOT NULL DEFAULT 0,
    accepted_at       timestamptz,
    session_epoch     bigint NOT NULL DEFAULT 0,
    deactivated_at    timestamptz,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    UNIQUE (id, workspace_id)
);
CREATE UNIQUE INDEX members_email ON members (email_key, workspace_id) WHERE email_key <> '';
CREATE UNIQUE INDEX members_directory_user ON members (directory_user_id) WHERE directory_user_id IS NOT NULL;
CREATE INDEX members_list ON members (workspace_id, id);
CREATE INDEX members_owners ON members (workspace_id) WHERE role = 'owner' AND status = 'active';

-- Desired state: people. external_id and user_name_key are unique among the living. There is no foreign key to the
-- connection: every insert of a bulk assignment would take a lock on that one row.
CREATE TABLE directory_users (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL,
    connection_id uuid NOT NULL,
    user_name     text NOT NULL,
    user_name_key text NOT NULL,
    external_id   text,
    email         text NOT NULL,
    email_key     text NOT NULL,
    email_count   integer NOT NULL,
    display_name  text NOT NULL,
    active        boolean NOT NULL,
    linked        boolean NOT NULL,
    mirror_of     uuid,
    version       bigint NOT NULL,
    period        bigint NOT NULL,
    kept_version  bigint NOT NULL DEFAULT 0,
    resource      json NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    removed_at    timestamptz,
    FOREIGN KEY (workspace_id, mirror_of) REFERENCES members (workspace_id, id)
);
CREATE UNIQUE INDEX directory_users_user_name ON directory_users (user_name_key, connection_id) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX directory_users_external_id ON directory_users (external_id, connection_id) WHERE removed_at IS NULL AND external_id IS NOT NULL;
CREATE INDEX directory_users_list ON directory_users (connection_id, id) WHERE removed_at IS NULL;
CREATE INDEX directory_users_email ON directory_users (email_key, connection_id) WHERE removed_at IS NULL;
CREATE INDEX directory_users_emails ON directory_users (connection_id) WHERE email_count > 1 AND removed_at IS NULL;
CREATE INDEX directory_users_mirror_of ON directory_users (mirror_of) WHERE mirror_of IS NOT NULL;

CREATE TABLE directory_groups (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL,
    connection_id uuid NOT NULL,
    display_name  text NOT NULL,
    name_key      text NOT NULL,
    external_id   text NOT NULL DEFAULT '',
    version       bigint NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    removed_at    timestamptz,
    FOREIGN KEY (workspace_id, connection_id) REFERENCES connections (workspace_id, id)
);
CREATE UNIQUE INDEX directory_groups_name ON directory_groups (name_key, connection_id) WHERE removed_at IS NULL;
CREATE INDEX directory_groups_list ON directory_groups (connection_id, id) WHERE removed_at IS NULL;
CREATE INDEX directory_groups_external_id ON directory_groups (external_id, connection_id) WHERE removed_at IS NULL AND external_id <> '';

-- version is the group's version at which the row last changed; a removed row is a tombstone until it is applied.
CREATE TABLE memberships (
    group_id uuid NOT NULL REFERENCES directory_groups (id),
    user_id  uuid NOT NULL REFERENCES directory_users (id),
    version  bigint NOT NULL,
    removed  boolean NOT NULL,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);
CREATE INDEX memberships_version ON memberships (group_id, version);

CREATE TABLE waiting_members (
    group_id      uuid NOT NULL REFERENCES directory_groups (id),
    value         text NOT NULL,
    connection_id uuid NOT NULL,
    display       text NOT NULL,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (group_id, value)
);
CREATE INDEX waiting_members_value ON waiting_members (value, connection_id);
CREATE INDEX waiting_members_age ON waiting_members (created_at);

CREATE TABLE teams (
    id              uuid PRIMARY KEY,
    workspace_id    uuid NOT NULL REFERENCES workspaces (id),
    name            text NOT NULL,
    group_id        uuid REFERENCES directory_groups (id),
    applied_version bigint NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    UNIQUE (id, workspace_id)
);
CREATE UNIQUE INDEX teams_group ON teams (group_id) WHERE group_id IS NOT NULL;
CREATE INDEX teams_workspace ON teams (workspace_id);

CREATE TABLE team_members (
    workspace_id uuid NOT NULL,
    team_id      uuid NOT NULL,
    member_id    uuid NOT NULL,
    PRIMARY KEY (team_id, member_id),
    FOREIGN KEY (workspace_id, team_id) REFERENCES teams (workspace_id, id) ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, member_id) REFERENCES members (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX team_members_member ON team_members (member_id);

CREATE TABLE invitations (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    member_id    uuid NOT NULL,
    user_id      uuid,
    period       bigint NOT NULL,
    email        text NOT NULL,
    email_key    text NOT NULL,
    token_hash   bytea NOT NULL UNIQUE,
    state        text NOT NULL CHECK (state IN ('open', 'accepted', 'void', 'expired')),
    expires_at   timestamptz NOT NULL,
    created_at   timestamptz NOT NULL,
    UNIQUE (member_id, user_id, period, email_key),
    FOREIGN KEY (workspace_id, member_id) REFERENCES members (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX invitations_expiry ON invitations (expires_at) WHERE state = 'open';

CREATE TABLE operations (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL,
    connection_id uuid,
    kind          text NOT NULL,
    class         text NOT NULL,
    resource_type text NOT NULL,
    resource_id   uuid NOT NULL,
    version       bigint NOT NULL,
    state         text NOT NULL CHECK (state IN ('pending', 'running', 'done', 'superseded', 'held', 'failed')),
    attempts      integer NOT NULL DEFAULT 0,
    error         text NOT NULL DEFAULT '',
    not_before    timestamptz NOT NULL DEFAULT clock_timestamp(),
    claim_no      bigint NOT NULL DEFAULT 0,
    lapses        integer NOT NULL DEFAULT 0,
    lease_until   timestamptz,
    dispatches    integer NOT NULL DEFAULT 0,
    dispatched_at timestamptz,
    queue         text NOT NULL DEFAULT '',
    request_id    text NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL,
    finished_at   timestamptz
) WITH (fillfactor = 70);
CREATE INDEX operations_workspace ON operations (workspace_id, id);
-- The conditions name columns that a claim does not touch, so that Postgres can update the row in place (HOT); the free
-- space of each page is for that.
CREATE INDEX operations_resource ON operations (resource_id) WHERE finished_at IS NULL OR error <> '';
CREATE INDEX operations_open ON operations (class, dispatched_at NULLS FIRST, not_before) WHERE finished_at IS NULL;
CREATE INDEX operations_noted ON operations (workspace_id, id) WHERE error <> '';

CREATE TABLE mails (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL,
    operation_id  uuid NOT NULL UNIQUE,
    member_id     uuid NOT NULL,
    invitation_id uuid REFERENCES invitations (id) ON DELETE CASCADE,
    kind          text NOT NULL,
    recipient     text NOT NULL,
    message_id    text NOT NULL,
    state         text NOT NULL CHECK (state IN ('ready', 'sending', 'committing', 'sent', 'unknown', 'failed')),
    claim_no      bigint NOT NULL DEFAULT 0,
    slot_at       timestamptz,
    response      text NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL,
    sent_at       timestamptz
);
CREATE UNIQUE INDEX mails_invitation ON mails (invitation_id, kind) WHERE invitation_id IS NOT NULL;

-- The next moment at which a workspace may send a mail: pacing assigns not_before from here.
CREATE TABLE mail_pace (
    workspace_id uuid PRIMARY KEY REFERENCES workspaces (id),
    next_at      timestamptz NOT NULL
);

CREATE TABLE audit_entries (
    id                  uuid NOT NULL,
    workspace_id        uuid NOT NULL,
    connection_id       uuid,
    actor               text NOT NULL,
    ip                  text NOT NULL,
    method              text NOT NULL,
    target_type         text NOT NULL,
    target_id           text NOT NULL,
    status              integer NOT NULL,
    detail              text NOT NULL,
    request_id          text NOT NULL,
    provider_request_id text NOT NULL,
    operation_id        uuid,
    request             text,
    at                  timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id)
);

-- One row per clock tick that must happen once: the scheduler may run more than once.
CREATE TABLE ticks (
    kind         text NOT NULL,
    window_start timestamptz NOT NULL,
    PRIMARY KEY (kind, window_start)
);

CREATE TABLE settings (
    key   text PRIMARY KEY,
    value text NOT NULL
);

-- +goose Down
DROP TABLE settings, ticks, audit_entries, mail_pace, mails, operations, invitations, team_members, teams,
    waiting_members, memberships, directory_groups, directory_users, members, tokens, connections, workspaces;
