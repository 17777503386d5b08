-- +goose Up
-- reminded_at is when it was decided whether to remind of an open invitation; NULL while that is to come.
ALTER TABLE invitations ADD COLUMN reminded_at DATETIME;
CREATE INDEX invitations_reminders ON invitations (created_at) WHERE state = 'open' AND reminded_at IS NULL;

-- +goose Down
DROP INDEX invitations_reminders;
ALTER TABLE invitations DROP COLUMN reminded_at;
