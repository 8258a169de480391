package telemetry

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// traceSettings are those of the environment that the exporter and the resource do
// not read themselves: OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER, the protocol, the
// sampler and the batches.
type traceSettings struct {
	sampler sdktrace.Sampler // nil: every run
	queue   int              // spans that wait at most
	batch   int
	delay   time.Duration // before a batch that is not full is exported
	timeout time.Duration // of one batch
}

// tracesFromEnv is nil when the environment asks for no traces.
func tracesFromEnv() (*traceSettings, error) {
	if first("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT") == "" || strings.EqualFold(first("OTEL_SDK_DISABLED"), "true") {
		return nil, nil
	}
	switch e := first("OTEL_TRACES_EXPORTER"); e {
	case "", "otlp":
	case "none":
		return nil, nil
	default:
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER=%s: traces go to an OTLP collector only; set it to otlp or none", e)
	}
	switch p := first("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); p {
	case "", "http/protobuf", "http/json":
	default:
		return nil, fmt.Errorf("OTLP protocol %q: only http/protobuf and http/json are spoken; set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf and an endpoint that takes it (port 4318 by custom)", p)
	}
	s := &traceSettings{}
	var err error
	if s.sampler, err = samplerFromEnv(); err != nil {
		return nil, err
	}
	for _, x := range []struct {
		name         string
		into         *int
		usual, least int
	}{
		{"OTEL_BSP_MAX_QUEUE_SIZE", &s.queue, 2048, 1},
		{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", &s.batch, 512, 1},
	} {
		if *x.into, err = number(x.name, x.usual, x.least); err != nil {
			return nil, err
		}
	}
	delay, err := number("OTEL_BSP_SCHEDULE_DELAY", 5000, 1)
	if err != nil {
		return nil, err
	}
	timeout, err := number("OTEL_BSP_EXPORT_TIMEOUT", 30000, 1)
	if err != nil {
		return nil, err
	}
	s.delay, s.timeout = time.Duration(delay)*time.Millisecond, time.Duration(timeout)*time.Millisecond
	s.batch = min(s.batch, s.queue)
	return s, nil
}

// samplerFromEnv reads OTEL_TRACES_SAMPLER. No trace of ours has a parent elsewhere,
// so a sampler and its parentbased form are the same.
func samplerFromEnv() (sdktrace.Sampler, error) {
	switch name := strings.TrimPrefix(strings.ToLower(first("OTEL_TRACES_SAMPLER")), "parentbased_"); name {
	case "", "always_on":
		return nil, nil
	case "always_off":
		return sdktrace.NeverSample(), nil
	case "traceidratio":
		arg := first("OTEL_TRACES_SAMPLER_ARG")
		if arg == "" {
			return nil, nil
		}
		share, err := strconv.ParseFloat(arg, 64)
		if err != nil || !(share >= 0 && share <= 1) {
			return nil, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG=%s: it is the share of the runs that are traced, from 0 to 1", arg)
		}
		return sdktrace.TraceIDRatioBased(share), nil
	default:
		return nil, fmt.Errorf("OTEL_TRACES_SAMPLER=%s: it is always_on, always_off or traceidratio, with or without parentbased_ before it", name)
	}
}

// number reads a whole number of the environment.
func number(name string, usual, least int) (int, error) {
	text := first(name)
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > 1<<30 {
		return 0, fmt.Errorf("%s=%s: it is a whole number from %d", name, text, least)
	}
	return n, nil
}

// first is the first of some variables that is set to something.
func first(names ...string) string {
	for _, n := range names {
		if v := strings.TrimSpace(os.Getenv(n)); v != "" {
			return v
		}
	}
	return ""
}
