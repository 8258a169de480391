package workflow

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// tooLong collects the nodes that share one arithmetic and one place, so that a
// policy of a thousand nodes warns once.
type tooLong struct {
	at      *item
	nodes   []string
	message func(nodes string) string
}

// retriesFit warns of retries that cannot all happen before a deadline.
func (b *builder) retriesFit(n *Node, r *resolved) {
	if r.Retry.MaxRetries <= 0 || r.maxRetries == nil || r.Deadline == 0 && b.plan.Run.Deadline == 0 {
		return
	}
	worst := r.attempts()
	var limit time.Duration
	var of, where string
	switch run := b.plan.Run.Deadline; {
	case r.Deadline > 0 && worst.Time > r.Deadline:
		line, _ := b.place(r.deadline.at)
		limit, of, where = r.Deadline, "the deadline", fmt.Sprintf("line %d", line)
	case run > 0 && worst.Time > run:
		line, _ := b.place(b.root.table("run").get("deadline").at)
		limit, of, where = run, "the run's deadline", fmt.Sprintf("line %d", line)
	default:
		return
	}
	key := fmt.Sprintf("%d %s %s", r.maxRetries.at, worst.Arithmetic, limit)
	if b.tooLong == nil {
		b.tooLong = map[string]*tooLong{}
	}
	t, ok := b.tooLong[key]
	if !ok {
		t = &tooLong{at: r.maxRetries, message: func(nodes string) string {
			return fmt.Sprintf("the retries of %s cannot all happen: at worst %s, but %s (%s) is %s", nodes, worst.Arithmetic, of, where, short(limit))
		}}
		b.tooLong[key] = t
		b.longKeys = append(b.longKeys, key)
	}
	if !slices.Contains(t.nodes[max(0, len(t.nodes)-1):], n.ID) {
		t.nodes = append(t.nodes, n.ID)
	}
}

// warn points out what cannot work as it is written.
func (b *builder) warn() {
	for _, key := range b.longKeys {
		t := b.tooLong[key]
		b.say(t.at, "retry_exceeds_deadline", "", "%s", t.message(nodeNames(t.nodes)))
	}
	b.warnBreakers()
	b.warnErrorEdges()
	b.warnGate()
	b.warnPermissions()
}

func nodeNames(ids []string) string {
	if len(ids) > 5 {
		return fmt.Sprintf("nodes %s and %d more", strings.Join(ids[:4], ", "), len(ids)-4)
	}
	if len(ids) == 1 {
		return "node " + ids[0]
	}
	return "nodes " + strings.Join(ids, ", ")
}

// warnBreakers points out breakers that can never open.
func (b *builder) warnBreakers() {
	for _, e := range b.root.table("breakers").all() {
		c, ok := b.plan.Breakers[e.key]
		if !ok {
			continue
		}
		say := func(at *item, hint, format string, args ...any) {
			from, to := e.at, e.end
			if at != nil {
				from, to = at.at, at.end
			}
			b.sayAt(from, to, "breaker_never_trips", hint, "breaker %q can never open: %s", e.key, fmt.Sprintf(format, args...))
		}
		users := b.breakerUse[e.key]
		if len(users) == 0 {
			if !b.lostHeader {
				say(nil, fmt.Sprintf("name it in a node or a policy: breaker = %q", e.key), "no node uses it")
			}
			continue
		}
		if len(c.Counts) == 0 {
			say(e.item.get("counts"), "leave counts away, or name the classes that are failures", "no class of errors counts")
			continue
		}
		calls, limited := callsWithin(c.Window, users)
		if c.Window == 0 || !limited {
			continue
		}
		need, key := float64(c.FailureThreshold), "failure_threshold"
		if c.FailureRate > 0 {
			need, key = float64(c.MinCalls), "min_calls"
		}
		if calls < need {
			at := e.item.get(key)
			if at == nil {
				at = e.item.get("window")
			}
			say(at, "", "rate_limit lets at most %s calls into a window of %s, %s is %v", shortNumber(calls), short(c.Window), key, need)
		}
	}
}

// callsWithin is how many calls the rate limits of all who use a breaker let
// through in a window; false when one of them has no limit.
func callsWithin(window time.Duration, users []*Policy) (float64, bool) {
	shared := map[string]bool{}
	calls := 0.0
	for _, p := range users {
		if p.RateLimit == nil || p.RateLimit.Rate <= 0 {
			return 0, false
		}
		if p.Name != "" && !p.OwnRate {
			if shared[p.Name] {
				continue
			}
			shared[p.Name] = true
		}
		calls += p.RateLimit.Rate*window.Seconds() + float64(p.RateLimit.Burst)
	}
	return calls, true
}

func shortNumber(f float64) string {
	if f == math.Trunc(f) {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.1f", f)
}

// cannotFail is true of a node whose last resort is a constant and that has no
// condition or list that could break.
func (n *Node) cannotFail() bool {
	return n.Kind != ApprovalNode && n.ForEach == nil && n.When == nil &&
		slices.ContainsFunc(n.Fallbacks, func(a Answerer) bool { return a.IsValue })
}

// warnErrorEdges points out handlers of failures that cannot happen.
func (b *builder) warnErrorEdges() {
	for i := range b.plan.Nodes {
		n := &b.plan.Nodes[i]
		if n.RunIf != IfFailed || len(n.Needs) == 0 || b.cyclic {
			continue
		}
		sure := true
		var ids []string
		for _, k := range n.Needs {
			sure = sure && b.plan.Nodes[k].cannotFail()
			ids = append(ids, b.plan.Nodes[k].ID)
		}
		if sure {
			b.say(b.entries[i].item.get("run_if"), "unreachable_error_edge", "", "node %q never runs: %s cannot fail, a constant always answers", n.ID, nodeNames(ids))
		}
	}
}

// warnGate points out critical checks that nothing looks at.
func (b *builder) warnGate() {
	if b.plan.Run.HealthGate {
		return
	}
	line, _ := b.place(b.root.table("run").get("health_gate").at)
	for _, e := range b.root.table("health").all() {
		if e.item.kind != tableKind || !e.item.boolean("critical", true) {
			continue
		}
		at, end := e.item.at, e.item.end
		if v := e.item.get("critical"); v != nil {
			at, end = v.at, v.end
		}
		b.sayAt(at, end, "health_gate_off", "set critical = false, or health_gate = \"critical\"",
			"the check %q is critical, but health_gate is off (line %d): it keeps no run from starting", e.key, line)
	}
}

// warnPermissions points out network permissions that nothing can use.
func (b *builder) warnPermissions() {
	for _, e := range b.root.table("plugins").all() {
		p := b.plan.Plugins[e.key]
		http := e.item.table("allow").get("http")
		if p == nil || len(p.Allow.HTTP) == 0 || http == nil || b.lostHeader {
			continue
		}
		m := b.module(e.key)
		switch {
		case !b.used[e.key]:
			b.say(http, "unused_permission", "", "plugin %q may use the network, but no node and no check calls it", e.key)
		case m == nil:
		case m.NoHTTP:
			b.say(http, "unused_permission", "", "plugin %q may use the network, but its module makes no HTTP requests", e.key)
		case m.AsksHTTP != nil:
			for i, s := range p.Allow.HTTP {
				origin := b.valueOf(s)
				if origin != "" && !slices.ContainsFunc(m.AsksHTTP, func(asked string) bool { return overlap(asked, origin) }) {
					b.say(http.items[i], "unused_permission", "it asks for "+someOf(slices.Values(m.AsksHTTP)), "plugin %q does not ask for %s, so it is not granted", e.key, origin)
				}
			}
		}
	}
}
