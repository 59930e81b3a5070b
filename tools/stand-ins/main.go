// Command stand-ins plays honeyDue's own programs where their images cannot be had: api, worker, admin and web, by its first argument.
// It keeps what the cluster relies on (ports, probe paths, environment, what each refuses to start without) and does nothing else.
package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// The release, as the image says it.
var release = os.Getenv("RELEASE")

// What is left of Kubernetes' 30 s after the 5 s of preStop.
const drain = 20 * time.Second

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("one argument: api, worker, admin or web")
	}
	role := os.Args[1]
	log.SetPrefix(role + ": ")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var err error
	switch role {
	case "api":
		err = runAPI(ctx)
	case "worker":
		err = runWorker(ctx)
	case "admin", "web":
		err = runFrontend(ctx, role)
	default:
		err = errors.New("there is no such role; there are api, worker, admin and web")
	}
	if err != nil {
		log.Fatal(err)
	}
}

// serve listens on the image's PORT until it is told to stop, and then finishes the requests that it has.
func serve(ctx context.Context, handler http.Handler) error {
	address := ":" + os.Getenv("PORT")
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	log.Printf("release %s listens on %s", release, address)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Print("told to stop: finishing what is under way")
	finishing, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	return server.Shutdown(finishing)
}
