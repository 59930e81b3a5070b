package main

import (
	"context"
	"errors"
	"log"
	"time"

	"github.com/hibiken/asynq"
)

// recordJob is the only type of job. Its payload is its ID, which worker inserts into the table jobs.
const recordJob = "record"

const (
	checkInterval = 5 * time.Second
	// 30 s, because redis is unavailable for that long when its pod is replaced.
	maxFailedChecks = 6
)

// runWorker exits if redis or the database remain unavailable, because it has no port that a probe could check. It
// tolerates some failures: network policies reject a new pod until all nodes know its address.
func runWorker(ctx context.Context) error {
	shared, err := newBackend(ctx)
	if err != nil {
		return err
	}
	defer shared.close()
	stopTracing, err := startTracing(ctx)
	if err != nil {
		return err
	}
	defer stopTracing()
	server := asynq.NewServer(shared.queue, asynq.Config{Concurrency: 5, ShutdownTimeout: drain, LogLevel: asynq.WarnLevel})
	if err := server.Start(asynq.HandlerFunc(shared.record)); err != nil {
		return err
	}
	log.Printf("release %s: waiting for jobs", release)
	err = shared.watch(ctx)
	// Waits for the running jobs.
	server.Shutdown()
	return err
}

func (b *backend) record(ctx context.Context, job *asynq.Task) error {
	ctx, span := startJob(ctx, job.Type(), job.Headers())
	defer span.End()
	// A job may be delivered twice, if its worker was killed after the insert and before redis recorded the job as
	// completed.
	_, err := b.database.ExecContext(ctx, "INSERT INTO jobs (id, release) VALUES ($1, $2) ON CONFLICT DO NOTHING", string(job.Payload()), release)
	return err
}

func (b *backend) watch(ctx context.Context) error {
	ticker := time.NewTicker(checkInterval)
	defer ticker.Stop()
	for failures := 0; failures < maxFailedChecks; {
		select {
		case <-ctx.Done():
			log.Print("stopping: finishing the running jobs")
			return nil
		case <-ticker.C:
		}
		if err := b.check(ctx); err != nil {
			failures++
			log.Printf("health check %d of %d failed: %v", failures, maxFailedChecks, err)
		} else {
			failures = 0
		}
	}
	return errors.New("redis or the database remained unavailable")
}

func (b *backend) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return errors.Join(b.redis.Ping(ctx).Err(), b.database.PingContext(ctx))
}
