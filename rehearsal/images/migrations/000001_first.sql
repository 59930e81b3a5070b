-- +goose Up
CREATE TABLE tasks (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text NOT NULL);
CREATE TABLE jobs (id text PRIMARY KEY, release text NOT NULL);

-- +goose Down
DROP TABLE jobs;
DROP TABLE tasks;
