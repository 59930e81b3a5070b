// Command kube-state-metrics replaces kube-state-metrics in rehearsals, because no image and no Go module of it is
// available to them. It exposes the documented series that the alert rules use, with the same names, labels and flags.
// It lists the objects at each scrape instead of watching them.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// scrapeTimeout is shorter than the default timeout of a scrape, 10 s.
const scrapeTimeout = 8 * time.Second

type exporter struct {
	api       *apiServer
	resources []string
	custom    []customResource
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("kube-state-metrics: ")
	resources := flag.String("resources", strings.Join(resourceNames(), ","), "resources to expose, separated by commas")
	url := flag.String("apiserver", "", "URL of the API server; by default that of the cluster")
	namespaces := flag.String("namespaces", "", "only this namespace; by default all")
	port := flag.Int("port", 8080, "port of /metrics, /healthz and /livez")
	host := flag.String("host", "", "address to listen on; by default all")
	telemetryPort := flag.Int("telemetry-port", 8081, "port of the exporter's own metrics and of /readyz")
	telemetryHost := flag.String("telemetry-host", "", "address to listen on; by default all")
	customFile := flag.String("custom-resource-state-config-file", "", "file that describes series of custom resources")
	customText := flag.String("custom-resource-state-config", "", "the content of such a file")
	customOnly := flag.Bool("custom-resource-state-only", false, "expose only series of custom resources")
	flag.Parse()
	server, err := newAPIServer(*url, *namespaces)
	exit(err)
	source := exporter{api: server}
	if *customFile != "" {
		content, err := os.ReadFile(*customFile)
		exit(err)
		*customText = string(content)
	}
	source.custom, err = parseCustomResources([]byte(*customText))
	exit(err)
	if !*customOnly {
		source.resources, err = selectResources(*resources)
		exit(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	errors := make(chan error, 2)
	go serve(errors, fmt.Sprintf("%s:%d", *host, *port), http.HandlerFunc(source.metrics))
	go serve(errors, fmt.Sprintf("%s:%d", *telemetryHost, *telemetryPort), http.HandlerFunc(noMetrics))
	select {
	case err := <-errors:
		exit(err)
	case <-ctx.Done():
	}
}

func exit(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func serve(errors chan<- error, address string, metrics http.Handler) {
	routes := http.NewServeMux()
	routes.Handle("GET /metrics", metrics)
	for _, path := range []string{"/healthz", "/livez", "/readyz"} {
		routes.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "OK") })
	}
	server := &http.Server{Addr: address, Handler: routes, ReadHeaderTimeout: scrapeTimeout}
	log.Printf("listening on %s", address)
	errors <- server.ListenAndServe()
}

func noMetrics(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

// metrics returns 500 if any list fails: an incomplete answer would look as if objects had been deleted.
func (e exporter) metrics(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), scrapeTimeout)
	defer cancel()
	var out series
	for _, resource := range e.resources {
		if err := resources[resource](ctx, e.api, &out); err != nil {
			fail(w, resource, err)
			return
		}
	}
	for _, resource := range e.custom {
		if err := resource.collect(ctx, e.api, &out); err != nil {
			fail(w, resource.GroupVersionKind.Kind, err)
			return
		}
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprint(w, out.String())
}

func fail(w http.ResponseWriter, resource string, err error) {
	log.Printf("cannot list %s: %v", resource, err)
	http.Error(w, err.Error(), http.StatusInternalServerError)
}
