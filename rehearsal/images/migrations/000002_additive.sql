-- +goose Up
-- With a default: the release that does not know the column goes on writing rows.
ALTER TABLE tasks ADD COLUMN notes text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE tasks DROP COLUMN notes;
