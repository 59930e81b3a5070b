package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
)

// checkTimeout is shorter than the 3 s timeout of a probe.
const checkTimeout = 2 * time.Second

type task struct {
	ID      int64  `json:"id"`
	Title   string `json:"title"`
	Notes   string `json:"notes,omitempty"`
	Release string `json:"release"`
}

type api struct {
	*backend
	jobs *asynq.Client
}

func runAPI(ctx context.Context) error {
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
	server := api{backend: shared, jobs: asynq.NewClient(shared.queue)}
	defer server.jobs.Close()
	routes := http.NewServeMux()
	routes.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "honeyDue %s\n", release) })
	routes.HandleFunc("GET /api/health/", server.health)
	routes.Handle("GET /metrics", metricsHandler(shared.database, os.Getenv("POSTGRES_DB")))
	routes.HandleFunc("POST /api/tasks/", server.createTask)
	routes.HandleFunc("GET /api/tasks/", server.listTasks)
	routes.HandleFunc("POST /api/jobs/", server.createJob)
	routes.HandleFunc("GET /api/jobs/{id}", server.showJob)
	return serve(ctx, traced(routes))
}

// health returns 503 only if the database is unavailable. Without redis, api still works, but slower, and reports it.
// An error would make the pod unready and stop it from serving at all.
func (a api) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	// In parallel: a redis that does not respond must not use up the timeout of the database.
	var redisErr, databaseErr error
	var pings sync.WaitGroup
	pings.Go(func() { redisErr = a.redis.Ping(ctx).Err() })
	pings.Go(func() { databaseErr = a.database.PingContext(ctx) })
	pings.Wait()
	result := map[string]string{"status": "ok", "release": release, "database": "ok", "redis": "ok"}
	status := http.StatusOK
	if redisErr != nil {
		result["status"], result["redis"] = "degraded", "down"
	}
	if databaseErr != nil {
		result["status"], result["database"] = "down", "down"
		status = http.StatusServiceUnavailable
	}
	respond(w, status, result)
}

// createTask inserts a row and reads it back in one transaction, with the columns that this release uses.
func (a api) createTask(w http.ResponseWriter, r *http.Request) {
	var created task
	if err := json.NewDecoder(r.Body).Decode(&created); err != nil {
		respond(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	insert, values := "INSERT INTO tasks (title) VALUES ($1) RETURNING id", []any{created.Title}
	if a.schema >= withNotes {
		insert, values = "INSERT INTO tasks (title, notes) VALUES ($1, $2) RETURNING id", []any{created.Title, created.Notes}
	}
	transaction, err := a.database.BeginTx(r.Context(), nil)
	if err != nil {
		respondError(w, err)
		return
	}
	defer transaction.Rollback()
	if err := transaction.QueryRowContext(r.Context(), insert, values...).Scan(&created.ID); err != nil {
		respondError(w, err)
		return
	}
	rows, err := a.tasks(transaction.QueryContext(r.Context(), a.columns()+" WHERE id = $1", created.ID))
	if err == nil {
		err = transaction.Commit()
	}
	if err != nil {
		respondError(w, err)
		return
	}
	respond(w, http.StatusCreated, rows[0])
}

func (a api) listTasks(w http.ResponseWriter, r *http.Request) {
	tasks, err := a.tasks(a.database.QueryContext(r.Context(), a.columns()+" ORDER BY id DESC LIMIT 100"))
	if err != nil {
		respondError(w, err)
		return
	}
	respond(w, http.StatusOK, tasks)
}

func (a api) columns() string {
	if a.schema >= withNotes {
		return "SELECT id, title, notes FROM tasks"
	}
	return "SELECT id, title, '' FROM tasks"
}

func (a api) tasks(rows *sql.Rows, err error) ([]task, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	tasks := []task{}
	for rows.Next() {
		row := task{Release: release}
		if err := rows.Scan(&row.ID, &row.Title, &row.Notes); err != nil {
			return nil, err
		}
		tasks = append(tasks, row)
	}
	return tasks, rows.Err()
}

// createJob adds a job to the queue and does not wait for it.
func (a api) createJob(w http.ResponseWriter, r *http.Request) {
	id := uuid.NewString()
	job := asynq.NewTaskWithHeaders(recordJob, []byte(id), traceHeaders(r.Context()), asynq.TaskID(id))
	if _, err := a.jobs.EnqueueContext(r.Context(), job); err != nil {
		respondError(w, err)
		return
	}
	respond(w, http.StatusAccepted, map[string]string{"id": id})
}

// showJob returns 404 until worker has completed the job.
func (a api) showJob(w http.ResponseWriter, r *http.Request) {
	job := map[string]string{"id": r.PathValue("id")}
	var completedBy string
	err := a.database.QueryRowContext(r.Context(), "SELECT release FROM jobs WHERE id = $1", job["id"]).Scan(&completedBy)
	if errors.Is(err, sql.ErrNoRows) {
		respond(w, http.StatusNotFound, map[string]string{"error": "the job is not completed"})
		return
	}
	if err != nil {
		respondError(w, err)
		return
	}
	job["release"] = completedBy
	respond(w, http.StatusOK, job)
}

func respondError(w http.ResponseWriter, err error) {
	respond(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
}

func respond(w http.ResponseWriter, status int, content any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// An error means that the client closed the connection. Nobody could receive a report of it.
	_ = json.NewEncoder(w).Encode(content)
}
