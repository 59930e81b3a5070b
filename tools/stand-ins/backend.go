package main

import (
	"context"
	"database/sql"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
)

// withNotes is the first version of the schema with the column tasks.notes.
const withNotes = 2

// backend contains the connections that api and worker share.
type backend struct {
	database *sql.DB
	redis    *redis.Client
	queue    asynq.RedisClientOpt
	// The oldest database schema that this release works with. It also works with newer ones: a migration removes a
	// column only after no release uses it.
	schema int64
}

// newBackend returns an error, which the pod logs, if the pod must not start: without the push key, the database or the
// schema.
func newBackend(ctx context.Context) (*backend, error) {
	if err := readPushKey(os.Getenv("APNS_AUTH_KEY_PATH")); err != nil {
		return nil, err
	}
	schema, err := strconv.ParseInt(os.Getenv("SCHEMA_VERSION"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("SCHEMA_VERSION of the image: %w", err)
	}
	database, err := openDatabase()
	if err != nil {
		return nil, err
	}
	queue := asynq.RedisClientOpt{
		Addr:     net.JoinHostPort(os.Getenv("REDIS_HOST"), os.Getenv("REDIS_PORT")),
		Password: os.Getenv("REDIS_PASSWORD"),
	}
	shared := &backend{
		database: database,
		redis:    redis.NewClient(&redis.Options{Addr: queue.Addr, Password: queue.Password}),
		queue:    queue,
		schema:   schema,
	}
	return shared, shared.requireSchema(ctx)
}

func readPushKey(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("the APNs key cannot be read: %w", err)
	}
	if block, _ := pem.Decode(content); block == nil {
		return fmt.Errorf("the APNs key %s is no PEM file", path)
	}
	return nil
}

func openDatabase() (*sql.DB, error) {
	config, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%s dbname=%s user=%s sslmode=%s connect_timeout=10",
		os.Getenv("DB_HOST"), os.Getenv("DB_PORT"), os.Getenv("POSTGRES_DB"), os.Getenv("POSTGRES_USER"), os.Getenv("DB_SSLMODE")))
	if err != nil {
		return nil, fmt.Errorf("the database's settings: %w", err)
	}
	config.Password = os.Getenv("POSTGRES_PASSWORD")
	// A prepared statement exists in one session only. Behind the pooler, each transaction may run in another session.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	database := stdlib.OpenDB(*config)
	idle, err := strconv.Atoi(os.Getenv("DB_MAX_IDLE_CONNS"))
	if err != nil {
		return nil, fmt.Errorf("DB_MAX_IDLE_CONNS: %w", err)
	}
	database.SetMaxIdleConns(idle)
	for name, set := range map[string]func(time.Duration){
		"DB_MAX_LIFETIME":  database.SetConnMaxLifetime,
		"DB_MAX_IDLE_TIME": database.SetConnMaxIdleTime,
	} {
		duration, err := time.ParseDuration(os.Getenv(name))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		set(duration)
	}
	return database, nil
}

// requireSchema compares the last migration that goose applied with the schema that this release needs.
func (b *backend) requireSchema(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var version int64
	var applied bool
	err := b.database.QueryRowContext(ctx, "SELECT version_id, is_applied FROM goose_db_version ORDER BY id DESC LIMIT 1").Scan(&version, &applied)
	if err != nil {
		return fmt.Errorf("Schema precondition failed: goose_db_version cannot be read: %w", err)
	}
	if !applied || version < b.schema {
		return fmt.Errorf("Schema precondition failed: goose_db_version is at %d (applied: %t), this release needs %d", version, applied, b.schema)
	}
	return nil
}

func (b *backend) close() {
	b.database.Close()
	b.redis.Close()
}
