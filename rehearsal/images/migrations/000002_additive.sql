-- +goose Up
-- The default lets the previous release, which does not set the column, still insert rows.
ALTER TABLE tasks ADD COLUMN notes text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE tasks DROP COLUMN notes;
