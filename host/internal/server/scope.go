package server

import (
	"context"
	"fmt"

	"wasmhost/host/event"
)

// Scope is what a caller may do. Each contains those before it: who may approve
// may start runs too, and who may only start them cannot approve what they
// started.
type Scope string

const (
	// Public needs no token: probes, the login, webhooks (which prove themselves).
	Public Scope = ""
	// Read sees workflows, runs with their inputs and outputs, plugins, health.
	Read Scope = "read"
	// Run starts, cancels, resumes and retries runs, and has health checked.
	Run Scope = "run"
	// Approve answers nodes that wait for a person.
	Approve Scope = "approve"
	// Admin swaps plugins, sets breakers, deletes runs, manages tokens, reads the
	// audit.
	Admin Scope = "admin"
)

// Scopes are all that a token can have, the least first.
var Scopes = []Scope{Read, Run, Approve, Admin}

func (s Scope) rank() int {
	for i, known := range Scopes {
		if s == known {
			return i + 1
		}
	}
	return 0
}

// Contains reports whether who has s may do what needs the other one.
func (s Scope) Contains(need Scope) bool {
	return need == Public || s.rank() >= need.rank() && need.rank() > 0
}

// ParseScope reads the name of a scope that a token can have.
func ParseScope(name string) (Scope, error) {
	s := Scope(name)
	if s.rank() == 0 {
		return "", &event.Error{Class: event.Permanent, Code: "bad_request", Message: fmt.Sprintf("scope %q: there are read, run, approve and admin, each containing those before it", name)}
	}
	return s, nil
}

// Identity is who makes a request.
type Identity struct {
	// Name is the name of the token, "admin" for the token of the state folder and
	// for login links, "local" where no token is asked for, "" for nobody.
	Name  string
	Scope Scope
	// Session is true when it came by the cookie of a browser.
	Session bool

	token   digest // of the secret; zero where there is none
	session digest
}

// Proven reports whether it was proven by a token, or by a session that one opened:
// false where none is asked for.
func (i Identity) Proven() bool { return i.token != digest{} || i.session != digest{} }

// By is the identity as audits name it.
func (i Identity) By() string {
	switch {
	case i.Name == "":
		return "nobody"
	case i.Session:
		return i.Name + " (browser)"
	}
	return i.Name
}

type identityKey struct{}

// IdentityOf is who made the request of this context; nobody outside of one.
func IdentityOf(ctx context.Context) Identity {
	who, _ := ctx.Value(identityKey{}).(Identity)
	return who
}

func withIdentity(ctx context.Context, who Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}
