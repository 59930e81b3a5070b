package main

import (
	"context"
	"fmt"
	"html"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
)

// Where Next.js keeps what it has fetched; relative, as the image starts in /app.
const cache = ".next/cache"

type frontend struct {
	name   string
	api    string
	client http.Client
}

// runFrontend is a Next.js server: pages that it renders with what it asks api for, inside the cluster.
func runFrontend(ctx context.Context, name string) error {
	api := os.Getenv("API_URL")
	if api == "" {
		return fmt.Errorf("API_URL is not set")
	}
	// Keep-alive would stay with one pod of api, and hide that another one is refused.
	served := frontend{name: name, api: api, client: http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /{$}", served.home)
	routes.HandleFunc("GET /tasks", served.tasks)
	return serve(ctx, routes)
}

// home is what probes ask: it fails when this server cannot work, not when api is away, or an outage of api would kill this pod too.
func (f frontend) home(w http.ResponseWriter, r *http.Request) {
	shown, err := f.fetch(r.Context(), "/api/health/")
	if err != nil {
		log.Print(err)
		shown = "api does not answer"
	}
	f.render(w, shown)
}

// tasks cannot be rendered without api: 500, as of any page of Next.js whose fetch throws.
func (f frontend) tasks(w http.ResponseWriter, r *http.Request) {
	shown, err := f.fetch(r.Context(), "/api/tasks/")
	if err != nil {
		log.Print(err)
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	f.render(w, shown)
}

func (f frontend) fetch(ctx context.Context, path string) (string, error) {
	asked, err := http.NewRequestWithContext(ctx, http.MethodGet, f.api+path, nil)
	if err != nil {
		return "", err
	}
	answered, err := f.client.Do(asked)
	if err != nil {
		return "", err
	}
	defer answered.Body.Close()
	if answered.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s", path, answered.Status)
	}
	content, err := io.ReadAll(answered.Body)
	return string(content), err
}

func (f frontend) render(w http.ResponseWriter, shown string) {
	page := fmt.Sprintf("<!doctype html><title>%s %s</title><pre>%s</pre>\n", f.name, html.EscapeString(release), html.EscapeString(shown))
	if err := os.WriteFile(filepath.Join(cache, "page.html"), []byte(page), 0o600); err != nil {
		log.Print(err)
		http.Error(w, "the cache cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, page)
}
