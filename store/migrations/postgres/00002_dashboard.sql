-- +goose Up
ALTER TABLE connections
    ADD COLUMN created_by       text NOT NULL DEFAULT '',
    ADD COLUMN sender_name      text NOT NULL DEFAULT '',
    ADD COLUMN send_invitations boolean NOT NULL DEFAULT true,
    ADD COLUMN invitation_hold  integer; -- seconds; NULL takes the installation's

ALTER TABLE tokens
    ADD COLUMN created_by text NOT NULL DEFAULT '',
    ADD COLUMN uses       bigint NOT NULL DEFAULT 0,
    ADD COLUMN first_ip   text NOT NULL DEFAULT '';

-- role is what a member may do; it is hand_role unless a group gives one, which role_group_id names then.
ALTER TABLE members
    ADD COLUMN hand_role     text NOT NULL DEFAULT 'member',
    ADD COLUMN role_group_id uuid,
    ADD COLUMN removed_by    text NOT NULL DEFAULT '';
UPDATE members SET hand_role = role;
CREATE INDEX members_status ON members (workspace_id, status, id);
CREATE INDEX members_role_group ON members (role_group_id) WHERE role_group_id IS NOT NULL;
CREATE INDEX members_admins ON members (workspace_id, role, id) WHERE role <> 'member';

-- What a group gives its people. version is the group's version at which the row last changed; an empty role is a
-- tombstone until it is applied.
CREATE TABLE role_mappings (
    group_id      uuid PRIMARY KEY REFERENCES directory_groups (id),
    workspace_id  uuid NOT NULL,
    connection_id uuid NOT NULL,
    role          text NOT NULL CHECK (role IN ('', 'admin', 'member')),
    version       bigint NOT NULL,
    created_by    text NOT NULL,
    created_at    timestamptz NOT NULL
);
CREATE INDEX role_mappings_connection ON role_mappings (connection_id);

ALTER TABLE operations ADD COLUMN approved_by text NOT NULL DEFAULT '';
DROP INDEX operations_resource;
CREATE INDEX operations_resource ON operations (resource_id, version);
-- attempts changes with a failure alone, so that a claim and a settlement do not touch this index.
DROP INDEX operations_noted;
CREATE INDEX operations_failed ON operations (workspace_id, id) WHERE error <> '' AND attempts > 0;
CREATE INDEX operations_held ON operations (workspace_id, id) WHERE error LIKE 'held:%';

ALTER TABLE audit_entries
    ADD COLUMN user_agent  text NOT NULL DEFAULT '',
    ADD COLUMN changes     text,   -- JSON: what the request changed, attribute by attribute
    ADD COLUMN took_micros bigint; -- from the arrival of the request to its commit, where that is known
CREATE INDEX audit_entries_target ON audit_entries (target_id, id);
CREATE INDEX audit_entries_provider_request ON audit_entries (provider_request_id) WHERE provider_request_id <> '';
-- The few among the many: what was refused, and what no provider's request is. Requests that are accepted touch neither.
CREATE INDEX audit_entries_refused ON audit_entries (workspace_id, id) WHERE status >= 400;
CREATE INDEX audit_entries_by_hand ON audit_entries (workspace_id, id) WHERE NOT (method = upper(method) OR method = 'other');

-- copy counts the mails of one kind for one invitation: more than one only by hand.
ALTER TABLE mails ADD COLUMN copy integer NOT NULL DEFAULT 0;
DROP INDEX mails_invitation;
CREATE UNIQUE INDEX mails_invitation ON mails (invitation_id, kind, copy) WHERE invitation_id IS NOT NULL;
CREATE INDEX mails_member ON mails (member_id);

CREATE TABLE sessions (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    member_id    uuid NOT NULL,
    token_hash   bytea NOT NULL UNIQUE,
    method       text NOT NULL,
    role         text NOT NULL,
    epoch        bigint NOT NULL,
    ip           text NOT NULL,
    user_agent   text NOT NULL,
    created_at   timestamptz NOT NULL,
    seen_at      timestamptz NOT NULL,
    proved_at    timestamptz NOT NULL,
    ended_at     timestamptz,
    FOREIGN KEY (workspace_id, member_id) REFERENCES members (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX sessions_member ON sessions (member_id);
CREATE INDEX sessions_age ON sessions (created_at);

-- member_id is NULL where the address is nobody's: the asker must not learn that.
CREATE TABLE sign_in_links (
    id           uuid PRIMARY KEY,
    token_hash   bytea NOT NULL UNIQUE,
    email_key    text NOT NULL,
    member_id    uuid,
    browser_hash bytea,
    next         text NOT NULL DEFAULT '',
    ip           text NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);
CREATE INDEX sign_in_links_email ON sign_in_links (email_key, created_at);
CREATE INDEX sign_in_links_ip ON sign_in_links (ip, created_at);

-- What a connection's provider did last, flushed each second from memory.
CREATE TABLE connection_health (
    connection_id    uuid PRIMARY KEY REFERENCES connections (id),
    first_success_at timestamptz,
    last_at          timestamptz,
    last_method      text NOT NULL DEFAULT '',
    last_route       text NOT NULL DEFAULT '',
    last_status      integer NOT NULL DEFAULT 0,
    last_micros      bigint NOT NULL DEFAULT 0,
    last_ip          text NOT NULL DEFAULT '',
    last_agent       text NOT NULL DEFAULT '',
    error_at         timestamptz,
    error_kind       text NOT NULL DEFAULT '',
    error_status     integer NOT NULL DEFAULT 0,
    error_detail     text NOT NULL DEFAULT ''
);
CREATE TABLE connection_hours (
    connection_id uuid NOT NULL REFERENCES connections (id),
    hour          timestamptz NOT NULL,
    requests      bigint NOT NULL,
    failures      bigint NOT NULL,
    micros        bigint NOT NULL,
    PRIMARY KEY (connection_id, hour)
);

-- A burst of people on one connection. The figures are as of the last pass of the scheduler.
CREATE TABLE runs (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL,
    connection_id uuid NOT NULL REFERENCES connections (id),
    title         text NOT NULL,
    started_at    timestamptz NOT NULL,
    last_at       timestamptz NOT NULL,
    ended_at      timestamptz,
    received      integer NOT NULL DEFAULT 0,
    applied       integer NOT NULL DEFAULT 0,
    waiting       integer NOT NULL DEFAULT 0,
    failed        integer NOT NULL DEFAULT 0,
    held          integer NOT NULL DEFAULT 0
);
CREATE INDEX runs_workspace ON runs (workspace_id, id);
CREATE UNIQUE INDEX runs_open ON runs (connection_id) WHERE ended_at IS NULL;

-- +goose Down
DROP TABLE runs, connection_hours, connection_health, sign_in_links, sessions;
DROP INDEX mails_member, mails_invitation;
DELETE FROM mails WHERE copy > 0;
ALTER TABLE mails DROP COLUMN copy;
CREATE UNIQUE INDEX mails_invitation ON mails (invitation_id, kind) WHERE invitation_id IS NOT NULL;
DROP INDEX audit_entries_by_hand, audit_entries_refused, audit_entries_provider_request, audit_entries_target;
ALTER TABLE audit_entries DROP COLUMN user_agent, DROP COLUMN changes, DROP COLUMN took_micros;
DROP INDEX operations_held, operations_failed, operations_resource;
CREATE INDEX operations_noted ON operations (workspace_id, id) WHERE error <> '';
CREATE INDEX operations_resource ON operations (resource_id) WHERE finished_at IS NULL OR error <> '';
ALTER TABLE operations DROP COLUMN approved_by;
DROP TABLE role_mappings;
DROP INDEX members_admins, members_role_group, members_status;
ALTER TABLE members DROP COLUMN hand_role, DROP COLUMN role_group_id, DROP COLUMN removed_by;
ALTER TABLE tokens DROP COLUMN created_by, DROP COLUMN uses, DROP COLUMN first_ip;
ALTER TABLE connections DROP COLUMN created_by, DROP COLUMN sender_name, DROP COLUMN send_invitations, DROP COLUMN invitation_hold;
