package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
)

// patience is below the 3 s that a probe waits.
const patience = 2 * time.Second

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
	common, err := newBackend(ctx)
	if err != nil {
		return err
	}
	defer common.close()
	served := api{backend: common, jobs: asynq.NewClient(common.queue)}
	defer served.jobs.Close()
	routes := http.NewServeMux()
	routes.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "honeyDue %s\n", release) })
	routes.HandleFunc("GET /api/health/", served.health)
	routes.HandleFunc("POST /api/tasks/", served.createTask)
	routes.HandleFunc("GET /api/tasks/", served.listTasks)
	routes.HandleFunc("POST /api/jobs/", served.createJob)
	routes.HandleFunc("GET /api/jobs/{id}", served.showJob)
	return serve(ctx, routes)
}

// health is 503 without the database alone. Without redis api serves on, slower, and says so: as an unready pod it would not.
func (a api) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	// Both at once: a redis that is silent must not use up the database's time.
	var redis, database error
	var asked sync.WaitGroup
	asked.Go(func() { redis = a.redis.Ping(ctx).Err() })
	asked.Go(func() { database = a.database.PingContext(ctx) })
	asked.Wait()
	said := map[string]string{"status": "ok", "release": release, "database": "ok", "redis": "ok"}
	status := http.StatusOK
	if redis != nil {
		said["status"], said["redis"] = "degraded", "down"
	}
	if database != nil {
		said["status"], said["database"] = "down", "down"
		status = http.StatusServiceUnavailable
	}
	answer(w, status, said)
}

// createTask writes a row and reads it back, in one transaction, with the columns that this release knows.
func (a api) createTask(w http.ResponseWriter, r *http.Request) {
	var asked task
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	insert, values := "INSERT INTO tasks (title) VALUES ($1) RETURNING id", []any{asked.Title}
	if a.schema >= withNotes {
		insert, values = "INSERT INTO tasks (title, notes) VALUES ($1, $2) RETURNING id", []any{asked.Title, asked.Notes}
	}
	transaction, err := a.database.BeginTx(r.Context(), nil)
	if err != nil {
		failed(w, err)
		return
	}
	defer transaction.Rollback()
	if err := transaction.QueryRowContext(r.Context(), insert, values...).Scan(&asked.ID); err != nil {
		failed(w, err)
		return
	}
	written, err := a.tasks(transaction.QueryContext(r.Context(), a.columns()+" WHERE id = $1", asked.ID))
	if err == nil {
		err = transaction.Commit()
	}
	if err != nil {
		failed(w, err)
		return
	}
	answer(w, http.StatusCreated, written[0])
}

func (a api) listTasks(w http.ResponseWriter, r *http.Request) {
	found, err := a.tasks(a.database.QueryContext(r.Context(), a.columns()+" ORDER BY id DESC LIMIT 100"))
	if err != nil {
		failed(w, err)
		return
	}
	answer(w, http.StatusOK, found)
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
	found := []task{}
	for rows.Next() {
		one := task{Release: release}
		if err := rows.Scan(&one.ID, &one.Title, &one.Notes); err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, rows.Err()
}

// createJob leaves a job in the queue; it does not wait for it.
func (a api) createJob(w http.ResponseWriter, r *http.Request) {
	id := uuid.NewString()
	if _, err := a.jobs.EnqueueContext(r.Context(), asynq.NewTask(record, []byte(id), asynq.TaskID(id))); err != nil {
		failed(w, err)
		return
	}
	answer(w, http.StatusAccepted, map[string]string{"id": id})
}

// showJob is 404 until worker has done it.
func (a api) showJob(w http.ResponseWriter, r *http.Request) {
	done := map[string]string{"id": r.PathValue("id")}
	var by string
	err := a.database.QueryRowContext(r.Context(), "SELECT release FROM jobs WHERE id = $1", done["id"]).Scan(&by)
	if errors.Is(err, sql.ErrNoRows) {
		answer(w, http.StatusNotFound, map[string]string{"error": "not done"})
		return
	}
	if err != nil {
		failed(w, err)
		return
	}
	done["release"] = by
	answer(w, http.StatusOK, done)
}

func failed(w http.ResponseWriter, err error) {
	answer(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
}

func answer(w http.ResponseWriter, status int, content any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// Whoever asked may be gone: there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(content)
}
