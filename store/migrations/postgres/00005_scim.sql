-- +goose Up
-- searched is the resource as filters compare it, where that is more than its ASCII lower case; NULL elsewhere.
ALTER TABLE directory_users ADD COLUMN searched json;

-- The e-mail addresses of people beside the one that directory_users has.
CREATE TABLE directory_emails (
    connection_id uuid NOT NULL,
    email_key     text NOT NULL,
    user_id       uuid NOT NULL REFERENCES directory_users (id) ON DELETE CASCADE,
    PRIMARY KEY (email_key, connection_id, user_id)
);
CREATE INDEX directory_emails_user ON directory_emails (user_id);
INSERT INTO directory_emails (connection_id, email_key, user_id)
    SELECT DISTINCT u.connection_id, lower(e->>'value'), u.id FROM directory_users u, json_array_elements(u.resource->'emails') e
    WHERE u.email_count > 1 AND e->>'value' IS NOT NULL AND lower(e->>'value') <> u.email_key;
DROP INDEX directory_users_emails;
ALTER TABLE directory_users DROP COLUMN email_count;

-- Whom a provider deleted, to be found when they return.
CREATE INDEX directory_users_gone_name ON directory_users (user_name_key, connection_id) WHERE removed_at IS NOT NULL;
CREATE INDEX directory_users_gone_external_id ON directory_users (external_id, connection_id) WHERE removed_at IS NOT NULL AND external_id IS NOT NULL;

-- How many people were deleted while they were in the group: what it shows has changed, though nobody changed it.
ALTER TABLE directory_groups ADD COLUMN departures bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE directory_groups DROP COLUMN departures;
DROP INDEX directory_users_gone_name;
DROP INDEX directory_users_gone_external_id;
ALTER TABLE directory_users ADD COLUMN email_count integer NOT NULL DEFAULT 0;
UPDATE directory_users SET email_count = coalesce(json_array_length(resource->'emails'), 0);
CREATE INDEX directory_users_emails ON directory_users (connection_id) WHERE email_count > 1 AND removed_at IS NULL;
DROP TABLE directory_emails;
ALTER TABLE directory_users DROP COLUMN searched;
