package workflow

import (
	"fmt"
	"math"
	"strings"
	"time"

	"wasmhost/resilience"
)

// Bound is a worst case: how long something can take when everything that can
// go wrong does.
type Bound struct {
	// Time is 0 when Unbounded: nothing limits it.
	Time      time.Duration
	Unbounded bool
	// Arithmetic shows where Time comes from: "4 × 45s + waits 1.1s + 2.2s + 4.4s".
	Arithmetic string
}

// String is the time, or "no limit".
func (b Bound) String() string {
	if b.Unbounded {
		return "no limit"
	}
	return b.Time.String()
}

const never = time.Duration(math.MaxInt64)

// plus adds without overflow.
func plus(a, b time.Duration) time.Duration {
	if a > never-b {
		return never
	}
	return a + b
}

// times multiplies without overflow.
func times(d time.Duration, n int) time.Duration {
	if n > 0 && d > never/time.Duration(n) {
		return never
	}
	return d * time.Duration(n)
}

// longestWait is the longest that retry n (from 0) may wait, hints of plugins
// left out.
func longestWait(r *resilience.Retry, n int, previous time.Duration) time.Duration {
	wait := r.Delay(n, previous, 1)
	if r.Backoff != resilience.Jittered && r.Backoff != "" {
		return wait
	}
	// Where the jitter would pass the cap it is subtracted, so with u = 1 Delay
	// may be short; the most is the plain delay plus jitter, up to the cap.
	plain := *r
	plain.Backoff = resilience.Exponential
	delay := plain.Delay(n, previous, 0)
	limit := r.MaxDelay
	if limit <= 0 {
		limit = resilience.DefaultMaxDelay
	}
	return min(plus(delay, time.Duration(float64(delay)*r.JitterRatio)), max(limit, delay))
}

// waits is the sum of the longest waits of all retries, and how it reads.
func waits(r *resilience.Retry) (time.Duration, string) {
	var total, previous time.Duration
	var shown []string
	same := 0
	for n := range r.MaxRetries {
		wait := longestWait(r, n, previous)
		if n < 4 {
			shown = append(shown, short(wait))
		}
		total = plus(total, wait)
		// Once the waits stop growing the rest is a product.
		if wait == previous {
			same++
		} else {
			same = 0
		}
		if same >= 3 || n > 10_000 {
			total = plus(total, times(wait, r.MaxRetries-n-1))
			break
		}
		previous = wait
	}
	if r.MaxRetries > 4 {
		shown = append(shown[:3], "…")
	}
	return total, strings.Join(shown, " + ")
}

// short rounds a duration to what a person reads.
func short(d time.Duration) string {
	switch {
	case d >= time.Minute:
		d = d.Round(time.Second / 10)
	case d >= time.Second:
		d = d.Round(time.Millisecond)
	}
	s := d.String()
	s = strings.TrimSuffix(s, "m0s") + map[bool]string{true: "m"}[strings.HasSuffix(s, "m0s")]
	return strings.TrimSuffix(s, "h0m") + map[bool]string{true: "h"}[strings.HasSuffix(s, "h0m")]
}

// attempts is the worst case of all attempts and waits of one answerer, its
// deadline left out.
func (p *Policy) attempts() Bound {
	n := 1 + max(p.Retry.MaxRetries, 0)
	each, text := p.Timeout, short(p.Timeout)
	if p.RateLimit != nil && p.RateLimit.MaxWait > 0 {
		each = plus(each, p.RateLimit.MaxWait)
		text = fmt.Sprintf("(%s + %s for the rate limit)", short(p.Timeout), short(p.RateLimit.MaxWait))
	}
	total := times(each, n)
	if n > 1 {
		text = fmt.Sprintf("%d × %s", n, text)
		between, shown := waits(&p.Retry)
		if between > 0 {
			total = plus(total, between)
			text += " + waits " + shown
		}
	}
	return Bound{Time: total, Arithmetic: fmt.Sprintf("%s = %s", text, short(total))}
}

// WorstCase is the longest that one answerer can take: all attempts and waits,
// or its deadline where that is shorter. A constant takes no time. Time that a
// call waits for a slot (concurrency) or that a plugin asks for (retry-after)
// is bounded by the deadline only.
func (a *Answerer) WorstCase() Bound {
	if a.IsValue {
		return Bound{Arithmetic: "a constant"}
	}
	b := a.Policy.attempts()
	if d := a.Policy.Deadline; d > 0 && d < b.Time {
		return Bound{Time: d, Arithmetic: fmt.Sprintf("%s, cut by the deadline %s", b.Arithmetic, short(d))}
	}
	return b
}

// WorstCase is the longest that a node can take: its answerers one after the
// other, or its deadline where that spans everything.
func (n *Node) WorstCase() Bound {
	switch n.Kind {
	case ApprovalNode:
		if n.Deadline == 0 {
			return Bound{Unbounded: true, Arithmetic: "waits for a person"}
		}
		return Bound{Time: n.Deadline, Arithmetic: "waits for a person until the deadline " + short(n.Deadline)}
	case WorkflowNode:
		b := Bound{Unbounded: true, Arithmetic: "the sub-workflow"}
		if n.Sub != nil {
			b = n.Sub.worst()
			b.Arithmetic = fmt.Sprintf("the workflow %s: %s", n.Sub.Name, b)
		}
		if n.ForEach != nil {
			b = Bound{Unbounded: true, Arithmetic: b.Arithmetic + " for each item"}
		}
		return n.withFallbacks(n.cut(b))
	}
	b := n.Primary.WorstCase()
	if n.ForEach == nil {
		return n.withFallbacks(b)
	}
	// Items go through the whole stack; how many there are nobody knows yet.
	b = n.withFallbacks(b)
	return n.cut(Bound{Unbounded: true, Arithmetic: "per item " + b.Arithmetic})
}

// cut applies the node's deadline.
func (n *Node) cut(b Bound) Bound {
	if n.Deadline > 0 && (b.Unbounded || n.Deadline < b.Time) {
		return Bound{Time: n.Deadline, Arithmetic: fmt.Sprintf("%s, cut by the deadline %s", b.Arithmetic, short(n.Deadline))}
	}
	return b
}

func (n *Node) withFallbacks(b Bound) Bound {
	for i := range n.Fallbacks {
		f := n.Fallbacks[i].WorstCase()
		b.Unbounded = b.Unbounded || f.Unbounded
		b.Time = plus(b.Time, f.Time)
		b.Arithmetic += fmt.Sprintf("; then fallback %d: %s", i, f.Arithmetic)
	}
	if b.Unbounded {
		b.Time = 0
	}
	return b
}

// CriticalPath is the chain of nodes that decides how long the workflow takes
// at worst, and that time. With concurrency below what the graph allows, or
// with fallback levels and retries of the whole run, a run can take longer, up
// to its deadline.
func (p *Plan) CriticalPath() ([]int, Bound) {
	if len(p.Nodes) == 0 {
		return nil, Bound{}
	}
	ends := make([]Bound, len(p.Nodes))
	before := make([]int, len(p.Nodes))
	longest := 0
	longer := func(x, y Bound) bool {
		return x.Unbounded && !y.Unbounded || x.Unbounded == y.Unbounded && x.Time > y.Time
	}
	for i := range p.Nodes {
		before[i] = -1
		var start Bound
		for _, n := range p.Nodes[i].Needs {
			if before[i] < 0 || longer(ends[n], start) {
				start, before[i] = ends[n], n
			}
		}
		own := p.Nodes[i].WorstCase()
		ends[i] = Bound{Time: plus(start.Time, own.Time), Unbounded: start.Unbounded || own.Unbounded}
		if longer(ends[i], ends[longest]) {
			longest = i
		}
	}
	var path []int
	for i := longest; i >= 0; i = before[i] {
		path = append([]int{i}, path...)
	}
	return path, ends[longest]
}

// worst is CriticalPath cut by the deadline of the run.
func (p *Plan) worst() Bound {
	_, b := p.CriticalPath()
	if p.Run.Deadline > 0 && (b.Unbounded || p.Run.Deadline < b.Time) {
		return Bound{Time: p.Run.Deadline}
	}
	if b.Unbounded {
		b.Time = 0
	}
	return b
}

// WorstCase is the time of the critical path, or the deadline of the run where
// that is shorter; 0 when nothing limits it.
func (p *Plan) WorstCase() time.Duration { return p.worst().Time }
