package plugin

import (
	"bytes"
	"maps"
	"slices"
	"sync"
	"time"

	"wasmhost/host/event"
)

// Recording is one call as it was, for replay on another version. Secrets are
// masked in everything. One that would take more than 256 KiB is not kept, nor
// is a call whose end says nothing about the plugin: cancelled, timed out, or
// failed for want of an answer from the network.
type Recording struct {
	Digest   string         `json:"digest"` // of the version that answered
	At       time.Time      `json:"at"`     // when it had answered
	Function string         `json:"function,omitempty"`
	Input    []byte         `json:"input"`
	Meta     Meta           `json:"meta"`
	Output   []byte         `json:"output,omitempty"`
	Warnings []*event.Error `json:"warnings,omitempty"`
	Error    *event.Error   `json:"error,omitempty"`
	HTTP     []RecordedHTTP `json:"http,omitempty"`
	Duration time.Duration  `json:"duration"`
}

// RecordedHTTP is one request that a plugin made and the answer it got, after
// redirects.
type RecordedHTTP struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	// BodyDigest is of the request's body, "" when it had none.
	BodyDigest string            `json:"body_digest,omitempty"`
	Status     int               `json:"status"`
	Headers    map[string]string `json:"headers,omitempty"`
	Body       []byte            `json:"body,omitempty"`
}

// maxRecording is how many bytes of input, output and exchanges one recording
// may have.
const maxRecording = 256 << 10

// comparable reports whether the end of a call says something about the plugin.
func comparable(err error) bool {
	e, ok := err.(*event.Error)
	if !ok {
		return err == nil
	}
	switch e.Code {
	case codeCancelled, codeTimeout, codeInstances, codeClosed, codeHost, codeHTTPFailed:
		return false
	}
	return true
}

// recordings are the last calls.
type recordings struct {
	mu    sync.Mutex
	most  int
	calls []Recording // the oldest first, from next on when it is full
	next  int
}

func newRecordings(n int) *recordings { return &recordings{most: n} }

// add keeps a call of p. What it keeps is its own: the caller may use its buffers
// again.
func (r *recordings) add(p *Plugin, c *Call, a *Answer, err error) {
	if c.tape.full || !comparable(err) || len(c.Input)+len(a.Output)+c.tape.bytes > maxRecording {
		return
	}
	m := p.masks
	one := Recording{Digest: a.Digest, At: time.Now(), Function: c.Function, Input: bytes.Clone(m.bytes(c.Input)), Meta: c.Meta,
		Output: bytes.Clone(a.Output), Warnings: a.Warnings, HTTP: c.tape.http, Duration: a.Duration}
	if e, ok := err.(*event.Error); ok {
		bare := *e
		bare.Cause = nil
		one.Error = &bare
	}
	for i := range one.HTTP {
		x := &one.HTTP[i]
		x.URL, x.Body = m.text(x.URL), m.bytes(x.Body)
		x.Headers = maps.Clone(x.Headers)
		for name, value := range x.Headers {
			x.Headers[name] = m.text(value)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.calls) < r.most {
		r.calls = append(r.calls, one)
		return
	}
	r.calls[r.next] = one
	r.next = (r.next + 1) % r.most
}

func (r *recordings) list() []Recording {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inOrder()
}

func (r *recordings) inOrder() []Recording { return slices.Concat(r.calls[r.next:], r.calls[:r.next]) }

func (r *recordings) restore(earlier []Recording) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.inOrder()
	if room := r.most - len(now); room < len(earlier) {
		earlier = earlier[len(earlier)-room:]
	}
	r.calls, r.next = slices.Concat(earlier, now), 0
}
