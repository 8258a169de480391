package plugin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"wasmhost/host/event"
)

// Gate is what a new version has to pass.
type Gate struct {
	// Module is the new version; nil: Spec.Module, or else the source, is read.
	Module []byte
	// AcceptPermissions lets it do more than the old one.
	AcceptPermissions bool
	// Functions are those that the workflows call: it must export them.
	Functions []string
	// Health are functions that must answer well, besides an export health, which
	// is called when it is there.
	Health []string
	// Timeout bounds all that is run of it together; 0: one minute.
	Timeout time.Duration
	// Replay are calls to be repeated without permissions; Same is the share of
	// those that can be compared that must be answered alike; 0: all.
	Replay []Recording
	Same   float64

	ungated bool // it has been through all of that
}

const gateTime = time.Minute

// startTime is how much of it a version may take to start: every new instance
// would take as long.
const startTime = 10 * time.Second

// candidate is a new version on its way through the gates.
type candidate struct {
	runtime *Runtime
	spec    Spec
	old     *Plugin
	gate    Gate
	report  *event.SwapReport

	data []byte
	base string
	img  *image
	next *Plugin
}

// Candidate reads, checks and compiles a new version, and puts it through the
// gates. The plugin is nil when a step fails, with the report's Refused saying
// why, and when the module is old's already (Unchanged). Then nothing of it is
// left. old may be nil: there is nothing to compare with. Mode is left to the
// caller.
func (r *Runtime) Candidate(ctx context.Context, s Spec, old *Plugin, g Gate) (*Plugin, *event.SwapReport) {
	if g.Module != nil {
		s.Module, s.Linked, s.kept = g.Module, nil, nil
	}
	c := &candidate{runtime: r, spec: s, old: old, gate: g, report: &event.SwapReport{Plugin: s.Name, Steps: []event.SwapStep{}}}
	if old != nil {
		c.report.From = old.Digest()
	}
	failed := c.run(ctx)
	if failed == nil && !c.report.Unchanged {
		return c.next, c.report
	}
	if c.next != nil {
		c.next.pool.end() // none of its calls goes on
	}
	if failed != nil {
		failed.Plugin = s.Name
		newMasks(s.Secrets).error(failed)
		c.report.Refused = failed
	}
	return nil, c.report
}

func (c *candidate) run(ctx context.Context) *event.Error {
	if failed := c.spec.check(); failed != nil {
		return failed
	}
	steps := []struct {
		name string
		do   func(context.Context) (string, *event.Error)
	}{{"fetch", c.fetch}, {"check", c.check}, {"compile", c.compile}, {"permissions", c.permissions}, {"start", c.start}, {"health", c.health}, {"replay", c.replay}}
	for i, step := range steps {
		if i == 3 {
			if c.gate.ungated {
				return nil
			}
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, cmp.Or(c.gate.Timeout, gateTime))
			defer cancel()
		}
		if step.name == "replay" && c.gate.Replay == nil {
			continue
		}
		began := time.Now()
		text, failed := step.do(ctx)
		if failed == nil && ctx.Err() != nil {
			failed = overContext(ctx, "a new version went through "+step.name)
		}
		if failed != nil {
			text = newMasks(c.spec.Secrets).text(failed.Message)
		}
		c.report.Steps = append(c.report.Steps, event.SwapStep{Name: step.name, OK: failed == nil, Text: text, DurationMS: float64(time.Since(began).Microseconds()) / 1e3})
		if failed != nil || c.report.Unchanged {
			return failed
		}
	}
	return nil
}

func (c *candidate) fetch(ctx context.Context) (string, *event.Error) {
	if c.spec.kept != nil {
		c.data = c.spec.kept.source
		return "kept from before", nil
	}
	var failed *event.Error
	if c.data, c.base, failed = c.runtime.readSource(ctx, c.spec); failed != nil {
		return "", failed
	}
	from := c.spec.Source
	if c.spec.Module != nil {
		from = "an upload"
	}
	return fmt.Sprintf("%d bytes of %s", len(c.data), from), nil
}

// check finds the digest and everything that is wrong with the bytes.
func (c *candidate) check(ctx context.Context) (string, *event.Error) {
	var failed *event.Error
	if c.spec.kept != nil {
		c.img, failed = c.runtime.read(ctx, c.spec)
	} else {
		c.img, failed = c.runtime.check(ctx, c.spec, c.data, c.base)
	}
	if failed != nil {
		return "", failed
	}
	c.report.To = c.img.digest
	c.report.Unchanged = c.old != nil && c.img.digest == c.old.Digest()
	if !c.report.Unchanged && !c.gate.ungated {
		exports := newExports(c.img.abi, c.img.main().exports())
		for _, f := range c.gate.Functions {
			if _, failed := exports.entry(f); failed != nil {
				return "", failed
			}
		}
	}
	return c.img.digest, nil
}

func (c *candidate) compile(ctx context.Context) (string, *event.Error) {
	var failed *event.Error
	if c.next, failed = c.runtime.make(ctx, c.spec, c.img); failed != nil {
		return "", failed
	}
	c.img = nil
	return "", nil
}

// permissions refuses a version that may do more than the old one, with the same
// grants: because it imports more, or asks for more itself.
func (c *candidate) permissions(context.Context) (string, *event.Error) {
	words := strings.Join(c.next.Permissions(), ", ")
	if words == "" {
		words = "none"
	}
	if c.old == nil {
		return words, nil
	}
	more := grown(c.old.permissions(), c.next.permissions())
	if len(more) == 0 {
		return words, nil
	}
	if !c.gate.AcceptPermissions {
		return "", fault(event.Permanent, codeGrow, "the new version may do what the current one may not: %s; if that is meant, swap with --accept-permissions", strings.Join(more, ", "))
	}
	return words + "; more than before, accepted: " + strings.Join(more, ", "), nil
}

// start brings an instance to where the calls of the workflows begin: a module
// whose start function or initialisers trap, or do not end, answers no call.
func (c *candidate) start(ctx context.Context) (string, *event.Error) {
	functions := c.gate.Functions
	if len(functions) == 0 {
		known := slices.Sorted(maps.Keys(c.next.exports.known))
		if len(known) == 0 {
			return "it has no function to be started for", nil
		}
		functions = known[:1]
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	var begun [2]bool
	for _, f := range functions {
		e, failed := c.next.exports.entry(f)
		if failed != nil {
			return "", failed
		}
		if begun[kind(e.initialise)] {
			continue
		}
		begun[kind(e.initialise)] = true
		_, err := c.next.Call(ctx, Call{Function: f, Idempotent: true, startOnly: true})
		switch {
		case ctx.Err() != nil:
			return "", overContext(ctx, "the new version was being started")
		case err != nil:
			var e *event.Error
			if !errors.As(err, &e) {
				e = fault(event.System, codeHost, "%v", err)
			}
			e.Message = "the new version does not start: " + e.Message
			return "", e
		}
	}
	return "", nil
}

// health calls what says whether the version works, as a health check does.
func (c *candidate) health(ctx context.Context) (string, *event.Error) {
	functions := slices.Clone(c.gate.Health)
	if _, ok := c.next.exports.known[healthName]; ok && !slices.Contains(functions, healthName) {
		functions = append(functions, healthName)
	}
	for _, f := range functions {
		a, err := c.next.Call(ctx, Call{Function: f, Idempotent: true})
		why := ""
		switch {
		case ctx.Err() != nil:
			return "", overContext(ctx, "the new version was asked for its health ("+f+")")
		case err != nil:
			why = inALine(err)
		case unhealthy(a.Output):
			why = "it says that it is not healthy: " + shorten(string(a.Output), maxShown)
		}
		if why != "" {
			e := fault(event.Permanent, codeUnhealthy, "%s of the new version: %s", f, why)
			e.Cause = err
			return "", e
		}
	}
	if len(functions) == 0 {
		return "it has no health function", nil
	}
	return strings.Join(functions, ", "), nil
}

const healthName = "health"

// unhealthy reads what a health function says: an object with "healthy": false.
func unhealthy(output []byte) bool {
	var said struct {
		Healthy *bool `json:"healthy"`
	}
	return json.Unmarshal(output, &said) == nil && said.Healthy != nil && !*said.Healthy
}

func (c *candidate) replay(ctx context.Context) (string, *event.Error) {
	if len(c.gate.Replay) == 0 {
		c.report.Replay = &event.ReplayReport{Differ: []event.Difference{}, Text: "no calls are recorded"}
		return c.report.Replay.Text, nil
	}
	report, failed := c.runtime.replay(ctx, c.next, c.gate.Replay)
	if failed != nil {
		return "", failed
	}
	c.report.Replay = report
	compared := report.Calls - report.Skipped
	share := cmp.Or(c.gate.Same, 1)
	if float64(report.Identical) < share*float64(compared) {
		return "", fault(event.Permanent, codeDiffers, "%s; %.0f %% of those that can be compared must be", report.Text, 100*share)
	}
	return report.Text, nil
}
