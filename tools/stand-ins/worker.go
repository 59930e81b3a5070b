package main

import (
	"context"
	"errors"
	"log"
	"time"

	"github.com/hibiken/asynq"
)

// record is the one kind of job: its payload is its id, which goes into the table jobs.
const record = "record"

const (
	checkEvery = 5 * time.Second
	// 30 s: redis is away for that long when its pod is replaced.
	checksFailed = 6
)

// runWorker listens on nothing, so nobody can ask how it is: it ends by itself when redis or the database stay away. Not at its first
// refusal: until every node has heard of a new pod, policies refuse it.
func runWorker(ctx context.Context) error {
	common, err := newBackend(ctx)
	if err != nil {
		return err
	}
	defer common.close()
	server := asynq.NewServer(common.queue, asynq.Config{Concurrency: 5, ShutdownTimeout: drain, LogLevel: asynq.WarnLevel})
	if err := server.Start(asynq.HandlerFunc(common.record)); err != nil {
		return err
	}
	log.Printf("release %s takes jobs", release)
	err = common.watch(ctx)
	// Waits for the jobs that are under way.
	server.Shutdown()
	return err
}

func (b *backend) record(ctx context.Context, job *asynq.Task) error {
	// A job may come twice: its worker may have been killed between the two stores.
	_, err := b.database.ExecContext(ctx, "INSERT INTO jobs (id, release) VALUES ($1, $2) ON CONFLICT DO NOTHING", string(job.Payload()), release)
	return err
}

func (b *backend) watch(ctx context.Context) error {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for failures := 0; failures < checksFailed; {
		select {
		case <-ctx.Done():
			log.Print("told to stop: finishing what is under way")
			return nil
		case <-ticker.C:
		}
		if err := b.check(ctx); err != nil {
			failures++
			log.Printf("unwell, %d of %d: %v", failures, checksFailed, err)
		} else {
			failures = 0
		}
	}
	return errors.New("unwell for too long")
}

func (b *backend) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return errors.Join(b.redis.Ping(ctx).Err(), b.database.PingContext(ctx))
}
