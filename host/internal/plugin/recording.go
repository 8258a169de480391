package plugin

import (
	"time"

	"wasmhost/host/event"
)

// Recording is one call as it was, for replay on another version. Secrets are
// masked in everything.
type Recording struct {
	Digest   string         `json:"digest"` // of the version that answered
	At       time.Time      `json:"at"`
	Function string         `json:"function,omitempty"`
	Input    []byte         `json:"input"`
	Meta     Meta           `json:"meta"`
	Output   []byte         `json:"output,omitempty"`
	Warnings []*event.Error `json:"warnings,omitempty"`
	Error    *event.Error   `json:"error,omitempty"`
	HTTP     []RecordedHTTP `json:"http,omitempty"`
	Duration time.Duration  `json:"duration"`
}

const maxRecording = 256 << 10

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
