-- +goose Up
-- The first statement succeeds. It must be rolled back when the second one fails: goose runs a file in one transaction.
CREATE TABLE half_done (id bigint PRIMARY KEY);
ALTER TABLE no_such_table ADD COLUMN name text;

-- +goose Down
DROP TABLE half_done;
