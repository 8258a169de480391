package host

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"wasmhost/host/event"
)

// ServeOptions say what is served, and how. The zero value of every field but
// Files is a good one.
type ServeOptions struct {
	// Files are the workflow files that are served, and no others can be started.
	// A folder stands for every *.toml directly in it that is a workflow.
	Files []string
	// Addr is where the server listens; "" is 127.0.0.1:7070. Listener, if not nil,
	// is used instead, and is closed by Serve.
	Addr     string
	Listener net.Listener
	// Grace is how long runs may go on when ctx has ended: they begin no new calls,
	// and what is at work by then is cut. 0: 30 s.
	Grace time.Duration
	// NoAuth lets everybody do everything. It is refused on an address that other
	// machines reach.
	NoAuth bool
	// Hosts are further names (without port) that requests may be addressed to.
	Hosts []string
	// Secure says that TLS ends in front of the server.
	Secure bool
	// BaseURL is where people find the pages, for the links in alerts; "": the
	// address that the server listens on.
	BaseURL string
	// MaxRuns is how many runs go on at the same time; the next ones queue,
	// recorded, and begin in their order. 0: 1000. A run that waits for a person
	// does not count.
	MaxRuns int
	// MaxQueued is how many may queue; the next one is refused. 0: 10,000.
	MaxQueued int
	// KeepFor and KeepRuns delete runs that ended longer ago, and all but the newest
	// so many that have ended. 0: nothing is deleted.
	KeepFor  time.Duration
	KeepRuns int
	// NoWatch leaves files alone that change while the server runs: neither
	// workflows nor plugins are loaded again.
	NoWatch bool
	// Version is shown on the pages and in telemetry.
	Version string
	// OnReady is told when requests are answered.
	OnReady func(ServeInfo)
}

// ServeInfo says where a server is.
type ServeInfo struct {
	URL string `json:"url"`
	PID int    `json:"pid"`
	// LoginURL opens the pages, once and within minutes; "" without tokens.
	LoginURL string `json:"-"`
	// AdminTokenFile holds the token that may do everything, for its owner's eyes.
	AdminTokenFile string `json:"-"`
}

// DefaultAddr is where a server listens when nothing else is said.
const DefaultAddr = "127.0.0.1:7070"

func (o *ServeOptions) setDefaults() {
	if o.Addr == "" {
		o.Addr = DefaultAddr
	}
	if o.Grace <= 0 {
		o.Grace = 30 * time.Second
	}
	if o.MaxRuns <= 0 {
		o.MaxRuns = 1000
	}
	if o.MaxQueued <= 0 {
		o.MaxQueued = 10_000
	}
}

// listen opens the address.
func (o *ServeOptions) listen() (net.Listener, error) {
	if o.Listener != nil {
		return o.Listener, nil
	}
	l, err := net.Listen("tcp", o.Addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, &event.Error{Class: event.Permanent, Code: "address_in_use", Cause: err, Message: fmt.Sprintf(
			"another program listens on %s; stop it, or listen elsewhere (port 0 chooses one that is free)", o.Addr)}
	}
	if err != nil {
		return nil, &event.Error{Class: event.Permanent, Code: "bad_setting", Cause: err, Message: fmt.Sprintf("the address %s cannot be used: %v", o.Addr, err)}
	}
	return l, nil
}

// urlOf is where a listener is found from this machine. One that listens on every
// address is found on the loopback: "0.0.0.0" and "::" are no addresses to ask.
func urlOf(a net.Addr) string {
	if t, ok := a.(*net.TCPAddr); ok && t.IP.IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d", t.Port)
	}
	return "http://" + a.String()
}
