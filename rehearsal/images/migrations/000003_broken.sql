-- +goose Up
-- The first statement is good and must be gone after the second one fails: goose runs a file in one transaction.
CREATE TABLE half_done (id bigint PRIMARY KEY);
ALTER TABLE no_such_table ADD COLUMN name text;

-- +goose Down
DROP TABLE half_done;
