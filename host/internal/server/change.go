package server

import (
	"context"

	"wasmhost/host/event"
)

// Change is what the audit will say of the request in hand. A handler of a
// method that changes something fills in what it knows; who asked, from where,
// and whether it was refused before it reached the handler, is known already.
type Change struct {
	Target string // the run, plugin, breaker, token; "" is the id or name of the path
	Detail string
	// Err is why it failed. An answer with a status of 400 and more counts as
	// failed without it; a page that redirects after a failure sets it.
	Err error

	action string
}

type changeKey struct{}

// ChangeOf is the change that the request of this context makes. It is never
// nil: outside of a request it is one that nobody reads.
func ChangeOf(ctx context.Context) *Change {
	if c, ok := ctx.Value(changeKey{}).(*Change); ok {
		return c
	}
	return &Change{}
}

// entry is the change as an audit.
func (c *Change) entry(who Identity, address string, status int, at event.Audit) event.Audit {
	at.By, at.Action, at.Target = who.By(), c.action, c.Target
	at.OK = c.Err == nil && status < 400
	at.Detail = "from " + address
	if c.Detail != "" {
		at.Detail += "; " + c.Detail
	}
	if c.Err != nil {
		at.Detail += "; " + c.Err.Error()
	}
	return at
}
