package plugin

import (
	"bytes"
	"context"
	"fmt"
)

// shadowsAtOnce is how many calls a shadow works on; others go without one.
const shadowsAtOnce = 2

// enter gives the shadow a call to look at, if it is not busy. Who was let in
// leaves.
func (t *trial) enter() bool {
	select {
	case t.free <- struct{}{}:
		return true
	default:
		t.mu.Lock()
		t.report.Dropped++
		t.mu.Unlock()
		return false
	}
}

func (t *trial) leave() { <-t.free }

// shadow repeats a call that p has answered on the shadow, beside the caller,
// who does not wait: with a copy of the input, and the answers that p got from
// the network.
func (v *Versions) shadow(t *trial, p *Plugin, c Call, a Answer, err error) {
	old := endOf(a, err)
	if !comparable(err) || c.tape.full {
		v.decide(t, t.compared(comparison{kind: skipped}))
		t.leave()
		return
	}
	v.mu.Lock()
	if v.closed {
		v.mu.Unlock()
		t.leave()
		return
	}
	v.shadows.Add(1)
	v.mu.Unlock()
	c.Input, old.output = bytes.Clone(c.Input), bytes.Clone(old.output)
	go func() {
		defer v.shadows.Done()
		defer t.leave()
		ctx, cancel := context.WithTimeout(t.ctx, max(canarySlower*a.Duration, patience))
		defer cancel()
		got := t.replica.replay(ctx, c, old)
		if t.ctx.Err() != nil {
			return
		}
		if got.kind == differs {
			got.difference = difference(p, &c, old, got)
		}
		v.decide(t, t.compared(got))
	}()
}

// compared counts what came of a call.
func (t *trial) compared(got comparison) verdict {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return verdict{}
	}
	r := &t.report
	switch got.kind {
	case skipped:
		r.Skipped++
	case differs:
		r.Differ++
		if len(r.Differences) < maxDifferences {
			r.Differences = append(r.Differences, got.difference)
		}
		fallthrough
	default:
		r.Calls++
	}
	if r.Calls+r.Skipped < t.Good {
		return verdict{}
	}
	t.over = true
	reason := fmt.Sprintf("%d of %d identical", r.Calls-r.Differ, r.Calls+r.Skipped)
	if r.Differ > 0 {
		reason += fmt.Sprintf(", %d differ: %s", r.Differ, told(r.Differences[0]))
	}
	if r.Skipped > 0 {
		reason += fmt.Sprintf(", %d cannot be compared", r.Skipped)
	}
	return verdict{over: true, reason: reason}
}
