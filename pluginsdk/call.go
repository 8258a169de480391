package pluginsdk

import (
	"strconv"
	"time"
)

// Call is one call of a plugin, as its handler sees it: settings, what the call
// is for, logs, variables, HTTP. It must not be kept after the handler returned.
type Call struct{ of *call }

type call struct {
	host     Host
	warnings []*Error
}

// CallOn is a call with that host around it. Exports make their calls
// themselves; this is for tests that call a handler directly.
func CallOn(h Host) Call { return Call{&call{host: h}} }

// Config returns a setting of the plugin. An empty setting counts as none.
func (c Call) Config(key string) (string, bool) { return c.of.host.Config(key) }

// ConfigOr returns a setting of the plugin, or def where there is none.
func (c Call) ConfigOr(key, def string) string {
	if v, ok := c.Config(key); ok {
		return v
	}
	return def
}

// Secret returns a secret that the workflow granted by its bare name. Secrets
// that the host puts into requests by itself are never seen here.
func (c Call) Secret(name string) (string, bool) { return c.Config("secret." + name) }

// RunID is the id of the run that the call belongs to; empty outside a run.
func (c Call) RunID() string { return c.ConfigOr("host.run_id", "") }

// Workflow is the name of the workflow.
func (c Call) Workflow() string { return c.ConfigOr("host.workflow", "") }

// Node is the path of the node, or the name of the health check.
func (c Call) Node() string { return c.ConfigOr("host.node", "") }

// Attempt counts the attempts of this node's work, from 1; 0 where the host
// does not say.
func (c Call) Attempt() int {
	n, err := strconv.Atoi(c.ConfigOr("host.attempt", ""))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// IdempotencyKey is the same for every attempt of the same piece of work, also
// after a crash of the host, and different for every other piece. Give it to
// services that take one, so that work is not done twice.
func (c Call) IdempotencyKey() string { return c.ConfigOr("host.idempotency_key", "") }

// Deadline is when the host will end this call; false: it has no limit or the
// host does not say. Hosts tell it in milliseconds since 1970.
func (c Call) Deadline() (time.Time, bool) {
	ms, err := strconv.ParseInt(c.ConfigOr("host.deadline_ms", ""), 10, 64)
	if err != nil || ms <= 0 {
		return time.Time{}, false
	}
	return time.UnixMilli(ms), true
}

// Var returns a variable of this plugin. Whether variables outlive a call is up
// to the plugin's `reset` in the workflow; by default they do not.
func (c Call) Var(key string) ([]byte, bool) { return c.of.host.Var(key) }

// SetVar sets a variable; an empty value removes it.
func (c Call) SetVar(key string, value []byte) { c.of.host.SetVar(key, value) }

// HTTP sends a request and returns the answer whatever its status: see
// [Response.Err]. The host refuses what the workflow does not allow, follows
// redirects, and ends the request with the call.
//
// When there is no answer (nobody listens, the connection breaks), host ends the
// call itself, transient and with its code "http_failed", as it does for what is
// not allowed: HTTP does not return, so there is nothing to handle. Other hosts
// may report status 0 instead, and pluginsdktest has no call to end; there the
// error is an *Error of class transient, code "no_answer". Returned as it is, it
// comes to the same.
func (c Call) HTTP(request *Request) (*Response, error) { return c.of.host.HTTP(request) }

// Warn tells something beside the output, such as a part that is missing. It
// shows in the result with the output; it is dropped when the handler fails.
// Hosts that know no warnings take it for an error.
func (c Call) Warn(code, message string) {
	c.of.warnings = append(c.of.warnings, &Error{Class: ClassWarning, Code: code, Message: message})
}

// Warnings are the warnings of this call so far, for tests.
func (c Call) Warnings() []*Error { return c.of.warnings }
