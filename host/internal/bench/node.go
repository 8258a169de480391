package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"wasmhost/host"
	"wasmhost/host/event"
)

// Policies of the nodes of a Chained.
const (
	DefaultPolicies = ""
	StackOfPolicies = "timeout = \"20s\"\nretry = { max_retries = 3 }\nbreaker = \"b\"\n"
)

// Chained is a whole host with a workflow of nodes one after the other, each a
// call of a guest that answers with its input. It keeps no journal.
type Chained struct {
	host     *host.Host
	workflow *host.Workflow
	input    event.Value
	events   counter
}

// counter takes events.
type counter int

func (c *counter) Emit(*event.Event) { *c++ }

// NewChained makes one of n nodes, in a folder of the caller's. The guest is the
// path of a module with an export echo; it is given bytes of text.
func NewChained(ctx context.Context, dir, guest, policies string, n, bytes int) (*Chained, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "version = 1\nname = \"chained\"\n[plugins.echo]\nsource = %q\n[breakers.b]\n", guest)
	for i := range n {
		fmt.Fprintf(&b, "[nodes.n%d]\nplugin = \"echo\"\nfunction = \"echo\"\n%s", i, policies)
		if i > 0 {
			fmt.Fprintf(&b, "needs = [\"n%d\"]\n", i-1)
		}
	}
	file := filepath.Join(dir, "workflow.toml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		return nil, err
	}
	c := &Chained{input: event.Text(strings.Repeat("x", bytes))}
	var err error
	if c.host, err = host.Open(ctx, host.Config{CacheDir: filepath.Join(dir, "cache"), Sink: &c.events}); err != nil {
		return nil, err
	}
	w, findings, err := c.host.Load(ctx, file)
	if err != nil {
		_ = c.host.Close(ctx)
		return nil, fmt.Errorf("%w: %v", err, findings)
	}
	c.workflow = w
	return c, nil
}

// Run runs all nodes once and returns what came out of the last.
func (c *Chained) Run(ctx context.Context) (event.Value, error) {
	r, err := c.host.Start(ctx, c.workflow, host.Options{Input: c.input, HasInput: true})
	if err != nil {
		return event.Value{}, err
	}
	res, err := r.Wait(ctx)
	if err != nil {
		return event.Value{}, err
	}
	if res.Status != event.Succeeded {
		return event.Value{}, fmt.Errorf("the run %s: %v", res.Status, res.Error)
	}
	return res.Output, nil
}

// Events is how many were emitted until now.
func (c *Chained) Events() int { return int(c.events) }

// Close gives everything back.
func (c *Chained) Close(ctx context.Context) error { return c.host.Close(ctx) }
