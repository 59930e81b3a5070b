package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// flush limits the last export before a program ends. The collector may be unavailable.
const flush = 2 * time.Second

// startTracing configures OpenTelemetry by its standard variables, and returns a function that sends the remaining
// spans. Without an endpoint, no spans are recorded.
func startTracing(ctx context.Context) (func(), error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" {
		return func() {}, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("OpenTelemetry: %w", err)
	}
	// The sampler, the resource and the limits of the queue also come from variables. Requests do not wait for it: a full
	// queue drops spans.
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Printf("OpenTelemetry: %v", err) }))
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), flush)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			log.Printf("OpenTelemetry: %v", err)
		}
	}, nil
}

// traced records a span for each request, with the pattern of its route.
func traced(handler http.Handler) http.Handler {
	return otelhttp.NewHandler(handler, "api")
}

// traceHeaders returns the trace context as headers of a job, so that the span of the job continues the trace.
func traceHeaders(ctx context.Context) map[string]string {
	headers := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, headers)
	return headers
}

// startJob starts the span of a job in the trace of the request that created it.
func startJob(ctx context.Context, name string, headers map[string]string) (context.Context, oteltrace.Span) {
	ctx = otel.GetTextMapPropagator().Extract(ctx, propagation.MapCarrier(headers))
	return otel.Tracer("stand-ins").Start(ctx, name, oteltrace.WithSpanKind(oteltrace.SpanKindConsumer))
}
