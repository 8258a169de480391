package telemetry

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// queue takes spans without waiting and exports them in batches. While a collector
// is away or slow it holds so many and drops the rest, and counts what it drops: the
// batch processor of the SDK does not say how many were lost.
type queue struct {
	settings *traceSettings
	spans    chan *span
	client   otlptrace.Client
	resource *resourcepb.Resource
	scope    *commonpb.InstrumentationScope
	metrics  *metrics
	log      *recorder
	warned   time.Time

	stop chan struct{} // closed by close
	done chan struct{} // closed when all is exported or lost
	// export bounds the exports; its cancel ends them when close must not wait longer.
	export context.Context
	cancel context.CancelFunc
}

func newQueue(s *traceSettings, version string, m *metrics, log *recorder) (*queue, error) {
	export, cancel := context.WithCancel(context.Background())
	q := &queue{settings: s, spans: make(chan *span, s.queue), client: otlptracehttp.NewClient(), metrics: m, log: log,
		scope: &commonpb.InstrumentationScope{Name: "wasmhost", Version: version},
		stop:  make(chan struct{}), done: make(chan struct{}), export: export, cancel: cancel}
	about, err := resource.New(export, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "host"), attribute.String("service.version", version)),
		resource.WithFromEnv())
	if err == nil {
		err = q.client.Start(export)
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("the OTEL_… settings of the environment: %w", err)
	}
	q.resource = &resourcepb.Resource{}
	for _, a := range about.Attributes() {
		q.resource.Attributes = append(q.resource.Attributes, &commonpb.KeyValue{Key: string(a.Key),
			Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: a.Value.String()}}})
	}
	go q.work()
	return q, nil
}

// add takes a span, or drops it.
func (q *queue) add(s *span) {
	select {
	case <-q.stop:
		q.metrics.spansLost.WithLabelValues("closed").Inc()
		return
	default:
	}
	select {
	case q.spans <- s:
	default:
		q.metrics.spansLost.WithLabelValues("queue").Inc()
	}
}

// work exports a batch when it is full, and what there is after a delay.
func (q *queue) work() {
	defer close(q.done)
	batch := make([]*span, 0, q.settings.batch)
	tick := time.NewTicker(q.settings.delay)
	defer tick.Stop()
	for {
		select {
		case s := <-q.spans:
			if batch = append(batch, s); len(batch) < q.settings.batch {
				continue
			}
		case <-tick.C:
		case <-q.stop:
			for {
				select {
				case s := <-q.spans:
					if batch = append(batch, s); len(batch) >= q.settings.batch {
						batch = q.send(batch)
					}
				default:
					q.send(batch)
					return
				}
			}
		}
		batch = q.send(batch)
	}
}

// send exports a batch and returns its room.
func (q *queue) send(batch []*span) []*span {
	if len(batch) == 0 {
		return batch
	}
	wire := make([]*tracepb.Span, len(batch))
	for i, s := range batch {
		wire[i] = s.wire()
	}
	ctx, cancel := context.WithTimeout(q.export, q.settings.timeout)
	err := q.client.UploadTraces(ctx, []*tracepb.ResourceSpans{{Resource: q.resource, ScopeSpans: []*tracepb.ScopeSpans{{Scope: q.scope, Spans: wire}}}})
	cancel()
	if err != nil {
		q.metrics.spansLost.WithLabelValues("export").Add(float64(len(batch)))
		if now := time.Now(); q.log != nil && now.Sub(q.warned) > time.Minute {
			q.warned = now
			q.log.lost(len(batch), err)
		}
	} else {
		q.metrics.spans.Add(float64(len(batch)))
	}
	clear(batch)
	return batch[:0]
}

// close exports what is left, until ctx ends.
func (q *queue) close(ctx context.Context) error {
	close(q.stop)
	defer q.cancel()
	select {
	case <-q.done:
	case <-ctx.Done():
		q.cancel()
		<-q.done // soon: what is left is lost
		return fmt.Errorf("spans that were left could not be exported: %w", context.Cause(ctx))
	}
	return q.client.Stop(ctx)
}

func (t *tracer) close(ctx context.Context) error { return t.queue.close(ctx) }
