package plugin

import "time"

// HTTPExchange is one request of a plugin, redirects included, as telemetry
// knows it: without query, headers and bodies.
type HTTPExchange struct {
	Method string
	URL    string // origin and path
	Status int    // 0: there was no answer
	Code   string // of the error, "" when there was an answer
	Start  time.Time
	End    time.Time
	// Sent and Received are bytes of bodies.
	Sent, Received int64
}
