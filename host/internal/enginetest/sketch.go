package enginetest

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
	"wasmhost/resilience"
)

// A sketch is a workflow drawn at random. It is turned into a plan for an
// engine, and read by the model as it is.
//
// Two things in it seldom happen at the same instant unless one causes the
// other: every duration is drawn to the nanosecond, and looking a plugin up
// takes a time of its own. So there is mostly one right answer.
type sketch struct {
	seed        uint64
	name        string
	continues   bool
	concurrency int
	deadline    time.Duration
	cancelAt    time.Duration // of the whole run, 0: never
	retry       resilience.Retry
	nodes       []sketchNode
	breakers    map[string]resilience.BreakerConfig
	levels      []sketchLevel
}

type sketchLevel struct {
	on []resilience.Class
	s  *sketch
}

type sketchNode struct {
	id         string
	needs      []int
	runIf      workflow.RunIf
	when       int // -1: always; else it runs when that need succeeded
	items      int // -1: one call
	parallel   int
	minSuccess float64
	deadline   time.Duration // of all items, or of the sub-workflow
	once       bool
	sub        *sketch
	answerers  []sketchAnswerer // of a sub-workflow: [0] is not asked
}

type sketchAnswerer struct {
	plugin            string
	value             bool
	lookup            time.Duration
	timeout, deadline time.Duration
	retry             resilience.Retry
	budget            string // name of the policy that shares the budget
	breaker           string
	fails             float64 // how likely a call fails
	longest           time.Duration
}

// outcome is what a plugin does when it is called.
type outcome struct {
	took  time.Duration
	class string // "" is success
	code  string
	hint  time.Duration
}

var classes = []resilience.Class{resilience.Transient, resilience.Permanent, resilience.System, resilience.Unknown}

// outcome is drawn from the seed, the key of the work and the attempt.
func (a *sketchAnswerer) outcome(seed uint64, key string, attempt int) outcome {
	r := draw(seed, key, attempt)
	o := outcome{took: upTo(r, a.longest)}
	if r.Float64() < a.fails {
		o.class = string(classes[min(r.IntN(7), 3)%4])
		if r.IntN(3) > 0 {
			o.class = event.Transient
		}
		o.code = fmt.Sprintf("e%d", r.IntN(3))
		if r.IntN(8) == 0 {
			o.hint = time.Duration(1+r.IntN(5000)) * time.Millisecond
		}
	}
	return o
}

func draw(seed uint64, key string, n int) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %d", key, n)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// jitter is the source of the numbers that spread delays.
func jitter(seed uint64) func(key string, n int) float64 {
	return func(key string, n int) float64 { return draw(seed, "jitter "+key, n).Float64() }
}

// upTo is a duration of at least a millisecond, drawn to the nanosecond.
func upTo(r *rand.Rand, d time.Duration) time.Duration {
	return time.Millisecond + time.Duration(r.Int64N(int64(d)))
}

// newSketch draws a workflow of at most 50 nodes.
func newSketch(seed uint64) *sketch {
	d := &drawing{Rand: rand.New(rand.NewPCG(seed, 1)), seed: seed}
	d.breakers = map[string]resilience.BreakerConfig{"k0": d.breaker(), "k1": d.breaker()}
	s := d.workflow("w", 1+d.IntN([]int{4, 12, 50}[d.IntN(3)]), 2)
	s.concurrency = 1000
	if d.one(3) {
		s.concurrency = 1 + d.IntN(4)
	}
	if d.one(6) {
		s.deadline = upTo(d.Rand, 30*time.Second)
	}
	if d.one(8) {
		s.cancelAt = upTo(d.Rand, 20*time.Second)
	}
	return s
}

type drawing struct {
	*rand.Rand
	seed  uint64
	plans int
	// A key means the same breaker everywhere under the root.
	breakers map[string]resilience.BreakerConfig
}

func (d *drawing) one(n int) bool { return d.IntN(n) == 0 }

func (d *drawing) workflow(name string, nodes, depth int) *sketch {
	s := &sketch{seed: d.seed, name: name, continues: d.one(2), concurrency: 1, breakers: d.breakers}
	if d.one(3) {
		s.retry = d.retry()
	}
	for i := range nodes {
		s.nodes = append(s.nodes, d.node(s, i, depth))
	}
	if depth == 2 {
		for range min(d.IntN(8)/3, 2) {
			l := sketchLevel{s: d.workflow(d.name("l"), 1+d.IntN(6), 1)}
			if d.one(5) {
				l.s.deadline = upTo(d.Rand, 10*time.Second)
			}
			if d.one(2) {
				l.on = d.classes()
			}
			s.levels = append(s.levels, l)
		}
	} else if depth == 1 && d.one(4) {
		s.levels = append(s.levels, sketchLevel{s: d.workflow(d.name("ll"), 1+d.IntN(3), 0)})
	}
	return s
}

func (d *drawing) name(prefix string) string {
	d.plans++
	return fmt.Sprintf("%s%d", prefix, d.plans)
}

func (d *drawing) node(s *sketch, i, depth int) sketchNode {
	n := sketchNode{id: fmt.Sprintf("n%d", i), when: -1, items: -1, minSuccess: 1}
	for back := 1; back <= min(i, 6) && len(n.needs) < 3; back++ {
		if d.one(3) {
			n.needs = append([]int{i - back}, n.needs...)
		}
	}
	if len(n.needs) > 0 {
		n.runIf = []workflow.RunIf{workflow.IfSucceeded, workflow.IfSucceeded, workflow.IfSucceeded, workflow.IfFailed, workflow.IfDone}[d.IntN(5)]
		if d.one(6) {
			n.when = n.needs[d.IntN(len(n.needs))]
		}
	} else if d.one(10) {
		n.runIf = workflow.IfDone
	}
	n.once = d.one(10)
	if d.one(5) {
		n.items = d.IntN(7)
		n.parallel = d.IntN(4)
		n.minSuccess = []float64{0, 0.5, 0.9, 1}[d.IntN(4)]
	}
	if depth > 0 && d.one(10) {
		n.sub = d.workflow(d.name("s"), 1+d.IntN(5), depth-1)
		if d.one(4) {
			n.sub.deadline = upTo(d.Rand, 5*time.Second)
		}
	}
	if (n.items >= 0 || n.sub != nil) && d.one(4) {
		n.deadline = upTo(d.Rand, 8*time.Second)
	}
	for who := range 1 + min(d.IntN(6)/3, 2)*d.IntN(2) + d.IntN(2) {
		n.answerers = append(n.answerers, d.answerer(s, &n, who))
	}
	if n.items >= 0 {
		for _, a := range n.answerers {
			if a.breaker != "" || a.retry.Budget > 0 || n.sub != nil || a.timeout < a.longest && !d.one(4) {
				n.parallel = 1 // items that begin together often have no order
			}
		}
	}
	return n
}

func (d *drawing) answerer(s *sketch, n *sketchNode, who int) sketchAnswerer {
	a := sketchAnswerer{plugin: fmt.Sprintf("%s/%s/%d", s.name, n.id, who), lookup: time.Duration(1 + d.IntN(20_000_000)),
		fails: []float64{0, 0.1, 0.3, 0.8}[d.IntN(4)], longest: []time.Duration{20 * time.Millisecond, time.Second, 5 * time.Second}[d.IntN(3)],
		timeout: 30*time.Second + time.Duration(d.IntN(1000))}
	if who > 0 && d.one(4) {
		a.value = true
		return a
	}
	if d.one(3) {
		a.timeout = upTo(d.Rand, a.longest)
	}
	if d.one(2) {
		a.retry = d.retry()
		if d.one(4) {
			a.retry.Budget = []float64{0.1, 0.2, 1}[d.IntN(3)]
			if d.one(2) {
				a.retry.Budget, a.budget = 0.2, "shared"
			}
		}
	}
	if d.one(5) && n.items < 0 {
		a.deadline = upTo(d.Rand, 4*time.Second)
	}
	if d.one(3) {
		a.breaker = []string{"k0", "k1"}[d.IntN(2)]
	}
	return a
}

func (d *drawing) retry() resilience.Retry {
	r := resilience.Retry{MaxRetries: 1 + d.IntN(4), BaseDelay: upTo(d.Rand, 2*time.Second), Multiplier: 1 + 2*d.Float64(),
		MaxDelay: upTo(d.Rand, 8*time.Second), JitterRatio: d.Float64(), RetryAfter: upTo(d.Rand, 3*time.Second)}
	r.Backoff = []resilience.Backoff{resilience.Constant, resilience.Exponential, resilience.Jittered, resilience.Decorrelated}[d.IntN(4)]
	r.On = []resilience.Class{resilience.Transient}
	if d.one(3) {
		r.On = d.classes()
	}
	return r
}

func (d *drawing) breaker() resilience.BreakerConfig {
	c := resilience.BreakerConfig{FailureThreshold: 1 + d.IntN(4), RecoveryTimeout: upTo(d.Rand, 4*time.Second),
		SuccessThreshold: 1 + d.IntN(2), HalfOpenMax: 1 + d.IntN(2), Counts: []resilience.Class{resilience.Transient, resilience.System, resilience.Unknown}}
	switch d.IntN(4) {
	case 0:
		c.Window = time.Hour
	case 1:
		c.Window, c.FailureRate, c.MinCalls = time.Hour, 0.5, 2+d.IntN(3)
	}
	if d.one(4) {
		c.Counts = d.classes()
	}
	return c
}

func (d *drawing) classes() []resilience.Class {
	all := []resilience.Class{}
	for _, c := range classes {
		if d.one(2) {
			all = append(all, c)
		}
	}
	return all
}

// plan is the sketch as an engine takes it.
func (s *sketch) plan() *workflow.Plan {
	options := []Option{Concurrency(s.concurrency), RunDeadline(s.deadline), Gives("done"), func(p *workflow.Plan) {
		p.Run.Continue, p.Run.Retry, p.Breakers = s.continues, s.retry, s.breakers
	}}
	for i := range s.nodes {
		options = append(options, s.nodes[i].option(s))
	}
	for _, l := range s.levels {
		options = append(options, Level(l.s.plan(), l.on...), func(p *workflow.Plan) {
			p.Levels[len(p.Levels)-1].On = l.on
		})
	}
	return Plan(s.name, options...)
}

func (n *sketchNode) option(s *sketch) Option {
	var options []NodeOption
	if n.sub != nil {
		options = append(options, Sub(n.sub.plan()))
	}
	if n.items >= 0 {
		options = append(options, ForEach(make([]any, n.items), n.parallel, n.minSuccess))
	}
	if n.when >= 0 {
		options = append(options, When(fmt.Sprintf("nodes.%s.status == 'succeeded'", s.nodes[n.when].id)))
	}
	options = append(options, With("input"), func(_ *builder, w *workflow.Node) {
		w.Needs, w.RunIf, w.Idempotent, w.Deadline = n.needs, n.runIf, !n.once, n.deadline
		for who := range n.answerers {
			a := n.answerers[who].answerer()
			a.With = w.Primary.With
			switch {
			case who > 0:
				w.Fallbacks = append(w.Fallbacks, a)
			case n.sub == nil:
				w.Primary = a
				if n.items < 0 {
					w.Deadline = a.Policy.Deadline
				}
			}
		}
	})
	return Node(n.id, options...)
}

func (a *sketchAnswerer) answerer() workflow.Answerer {
	if a.value {
		return workflow.Answerer{IsValue: true, Value: event.Text("value")}
	}
	return workflow.Answerer{Plugin: a.plugin, Function: "run", Policy: workflow.Policy{
		Name: a.budget, Timeout: a.timeout, Deadline: a.deadline, Retry: a.retry, Breaker: a.breaker}}
}

// each visits every answerer under the sketch.
func (s *sketch) each(visit func(*sketchAnswerer)) {
	for i := range s.nodes {
		n := &s.nodes[i]
		for who := range n.answerers {
			visit(&n.answerers[who])
		}
		if n.sub != nil {
			n.sub.each(visit)
		}
	}
	for _, l := range s.levels {
		l.s.each(visit)
	}
}
