package main

import (
	"database/sql"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metricsHandler exposes the metrics of the process and of its connections to the database, whose name is a label.
func metricsHandler(database *sql.DB, name string) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewDBStatsCollector(database, name),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}
