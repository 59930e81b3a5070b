// Command stand-ins replaces honeyDue's own programs in rehearsals, which have no access to their images. Its argument
// selects the program: api, worker, admin or web. It implements what the cluster depends on: ports, probe paths,
// environment variables and the conditions without which a program refuses to start.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// release is the name of the release, which the image sets.
var release = os.Getenv("RELEASE")

// drain limits a graceful shutdown: Kubernetes' grace period of 30 s, minus 5 s of preStop and some reserve.
const drain = 20 * time.Second

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("expected one argument: api, worker, admin or web")
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
		err = fmt.Errorf("unknown program %q: expected api, worker, admin or web", role)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// serve handles requests on the image's PORT until the context ends, and then finishes the running requests.
func serve(ctx context.Context, handler http.Handler) error {
	address := ":" + os.Getenv("PORT")
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	errs := make(chan error, 1)
	go func() { errs <- server.ListenAndServe() }()
	log.Printf("release %s: listening on %s", release, address)
	select {
	case err := <-errs:
		return err
	case <-ctx.Done():
	}
	log.Print("stopping: finishing the running requests")
	shutdown, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	return server.Shutdown(shutdown)
}
