package telemetry

import (
	"strings"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"wasmhost/host/event"
)

// span is a span that is over, small enough to be made while a run waits; its form
// on the wire is made when it is exported.
type span struct {
	trace      traceID
	id, parent spanID // parent is zero for a root
	name       string
	client     bool
	start, end time.Time
	attrs      []attr
	notes      notes
	failed     bool
	message    string // of a failure
}

// attr is an attribute: a text, or a number when the text is "".
type attr struct {
	key    string
	text   string
	number int64
}

// attrs drops what says nothing.
func attrs(all ...attr) []attr {
	kept := all[:0]
	for _, a := range all {
		if a.text != "" || a.number != 0 {
			kept = append(kept, a)
		}
	}
	return kept
}

// longestText bounds what an error's message adds to a span or log record.
const longestText = 1024

func shortened(s string) string {
	if len(s) > longestText {
		s = s[:longestText] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}

// mostNotes is how many things that happened within a span are told in it.
const mostNotes = 64

// notes are what happened within a span, the first of it.
type notes struct {
	list []note
	more uint32
}

type note struct {
	at    time.Time
	name  string
	attrs []attr
}

// add notes an event. Reasons are left out: an approval's is made of the run's data.
func (n *notes) add(e *event.Event) {
	if len(n.list) >= mostNotes {
		n.more++
		return
	}
	a := attrs(attr{key: "wasmhost.attempt", number: int64(e.Attempt)}, attr{key: "wasmhost.wait_ms", number: int64(e.RetryInMS)},
		attr{key: "wasmhost.answered_by", text: e.AnsweredBy}, attr{key: "wasmhost.level", number: int64(e.Level)},
		attr{key: "wasmhost.breaker", text: e.Breaker}, attr{key: "wasmhost.from", text: e.From}, attr{key: "wasmhost.to", text: e.To})
	if e.Error != nil {
		a = append(a, attrs(attr{key: "error.type", text: e.Error.Class}, attr{key: "wasmhost.error.code", text: e.Error.Code})...)
	}
	n.list = append(n.list, note{at: e.Time, name: string(e.Type), attrs: a})
}

// wire is the span in OTLP.
func (s *span) wire() *tracepb.Span {
	p := &tracepb.Span{TraceId: s.trace[:], SpanId: s.id[:], Name: s.name, Kind: tracepb.Span_SPAN_KIND_INTERNAL,
		StartTimeUnixNano: nanos(s.start), EndTimeUnixNano: max(nanos(s.end), nanos(s.start)), Attributes: wireAttrs(s.attrs),
		DroppedEventsCount: s.notes.more, Status: &tracepb.Status{}, Flags: 1}
	if s.parent != (spanID{}) {
		p.ParentSpanId = s.parent[:]
	}
	if s.client {
		p.Kind = tracepb.Span_SPAN_KIND_CLIENT
	}
	if s.failed {
		p.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: s.message}
	}
	for _, n := range s.notes.list {
		p.Events = append(p.Events, &tracepb.Span_Event{TimeUnixNano: nanos(n.at), Name: n.name, Attributes: wireAttrs(n.attrs)})
	}
	return p
}

func nanos(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(t.UnixNano(), 0))
}

func wireAttrs(all []attr) []*commonpb.KeyValue {
	list := make([]*commonpb.KeyValue, len(all))
	for i, a := range all {
		v := &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: a.number}}
		if a.text != "" {
			v.Value = &commonpb.AnyValue_StringValue{StringValue: strings.ToValidUTF8(a.text, "?")}
		}
		list[i] = &commonpb.KeyValue{Key: a.key, Value: v}
	}
	return list
}
