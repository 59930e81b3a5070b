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

// cache is the folder of Next.js' fetch cache, relative to the image's working directory /app.
const cache = ".next/cache"

type frontend struct {
	name   string
	api    string
	client http.Client
}

// runFrontend replaces a Next.js server. It renders pages from responses of api, which it requests inside the cluster.
func runFrontend(ctx context.Context, name string) error {
	api := os.Getenv("API_URL")
	if api == "" {
		return fmt.Errorf("API_URL is not set")
	}
	// A keep-alive connection would always reach the same pod of api and hide that a connection to another pod is
	// refused.
	server := frontend{name: name, api: api, client: http.Client{Timeout: checkTimeout, Transport: &http.Transport{DisableKeepAlives: true}}}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /{$}", server.home)
	routes.HandleFunc("GET /tasks", server.tasks)
	return serve(ctx, routes)
}

// home is the path of the probes. It fails only if this server cannot work. If it also failed without api, an outage of
// api would restart this pod, too.
func (f frontend) home(w http.ResponseWriter, r *http.Request) {
	content, err := f.fetch(r.Context(), "/api/health/")
	if err != nil {
		log.Print(err)
		content = "api is unavailable"
	}
	f.render(w, content)
}

// tasks returns 500 without api, like each Next.js page whose fetch fails.
func (f frontend) tasks(w http.ResponseWriter, r *http.Request) {
	content, err := f.fetch(r.Context(), "/api/tasks/")
	if err != nil {
		log.Print(err)
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	f.render(w, content)
}

func (f frontend) fetch(ctx context.Context, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.api+path, nil)
	if err != nil {
		return "", err
	}
	response, err := f.client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s", path, response.Status)
	}
	content, err := io.ReadAll(response.Body)
	return string(content), err
}

func (f frontend) render(w http.ResponseWriter, content string) {
	page := fmt.Sprintf("<!doctype html><title>%s %s</title><pre>%s</pre>\n", f.name, html.EscapeString(release), html.EscapeString(content))
	if err := os.WriteFile(filepath.Join(cache, "page.html"), []byte(page), 0o600); err != nil {
		log.Print(err)
		http.Error(w, "the cache cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, page)
}
