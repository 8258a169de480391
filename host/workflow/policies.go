package workflow

import (
	"math"
	"slices"
	"time"

	"wasmhost/resilience"
)

// defaultTimeout bounds an attempt where nothing else does.
const defaultTimeout = 30 * time.Second

// defaultMaxWait is how long a call waits for its turn under a rate limit.
const defaultMaxWait = 10 * time.Second

// resolved is a policy with the places that its values come from.
type resolved struct {
	Policy
	retry      *item // the nearest retry table, nil: no retry was asked for
	hasRetries bool  // max_retries was given somewhere
	maxRetries *item
	deadline   *item
	rate       *item // the nearest rate_limit table
	hedge      *item
	breaker    *item
	limit      resilience.RateLimit
	hedging    resilience.Hedge
}

// builtinPolicy is what holds where a file says nothing.
func builtinPolicy() resolved { return resolved{Policy: Policy{Timeout: defaultTimeout}} }

// base is built-in, [defaults] and [policies.NAME] merged; name "" is none.
func (b *builder) base(name string) *resolved {
	if r, ok := b.bases[name]; ok {
		return r
	}
	r := builtinPolicy()
	if t := b.root.table("defaults"); t != nil {
		r.apply(t, true)
	}
	if t := b.root.table("policies").table(name); name != "" && t != nil {
		r.Name = name
		r.apply(t, false)
	}
	if b.bases == nil {
		b.bases = map[string]*resolved{}
	}
	b.bases[name] = &r
	return &r
}

// policy is the stack of a node or a fallback entry: t holds its own keys.
func (b *builder) policy(t *item) *resolved {
	name, _ := t.str("policy")
	r := *b.base(name)
	r.apply(t, true)
	return &r
}

// apply lets the keys of t win: tables merge key by key, arrays replace. own is
// false for a named policy, whose rate, budget and concurrency are shared by
// its name.
func (r *resolved) apply(t *item, own bool) {
	if d := t.duration("timeout"); d > 0 {
		r.Timeout = d
	}
	if d := t.duration("deadline"); d > 0 {
		r.Deadline, r.deadline = d, t.get("deadline")
	}
	if retry := t.table("retry"); retry != nil {
		r.applyRetry(retry, own)
	}
	if key, ok := t.str("breaker"); ok {
		r.Breaker, r.breaker = key, t.get("breaker")
	}
	if rate := t.table("rate_limit"); rate != nil {
		if r.RateLimit == nil {
			r.limit = resilience.RateLimit{Burst: 1, MaxWait: defaultMaxWait}
		}
		limit := r.limit
		if s, ok := rate.str("rate"); ok {
			limit.Rate, _ = parseRate(s)
		}
		if n, ok := rate.integer("burst"); ok && n > 0 {
			limit.Burst = int(n)
		}
		if _, ok := rate.str("max_wait"); ok {
			limit.MaxWait = rate.duration("max_wait")
		}
		r.limit, r.rate = limit, rate
		r.RateLimit = &limit
		r.OwnRate = own
	}
	if n, ok := t.integer("concurrency"); ok && n > 0 {
		r.Concurrency = int(n)
		r.OwnConcurrency = own
	}
	if hedge := t.table("hedge"); hedge != nil {
		if r.Hedge == nil {
			r.hedging = resilience.Hedge{Max: 1}
		}
		h := r.hedging
		if d := hedge.duration("delay"); d > 0 {
			h.Delay = d
		}
		if n, ok := hedge.integer("max"); ok && n > 0 {
			h.Max = int(n)
		}
		r.hedging, r.hedge = h, hedge
		r.Hedge = &h
	}
}

func (r *resolved) applyRetry(t *item, own bool) {
	if r.retry == nil {
		r.Retry = resilience.DefaultRetry()
		r.Retry.MaxRetries = 0
	}
	r.retry = t
	to := &r.Retry
	if n, ok := t.integer("max_retries"); ok {
		to.MaxRetries, r.hasRetries, r.maxRetries = int(min(max(n, 0), math.MaxInt32)), true, t.get("max_retries")
	}
	if s, ok := t.str("backoff"); ok {
		to.Backoff = resilience.Backoff(s)
	}
	if _, ok := t.str("base_delay"); ok {
		to.BaseDelay = t.duration("base_delay")
	}
	if n, ok := t.float("multiplier"); ok && n > 0 {
		to.Multiplier = n
	}
	if d := t.duration("max_delay"); d > 0 {
		to.MaxDelay = d
	}
	if n, ok := t.float("jitter_ratio"); ok {
		to.JitterRatio = n
	}
	if t.get("on") != nil {
		to.On = []resilience.Class{}
		for _, s := range t.strings("on") {
			to.On = append(to.On, resilience.Class(s))
		}
	}
	if _, ok := t.str("retry_after"); ok {
		if to.RetryAfter = t.duration("retry_after"); to.RetryAfter == 0 {
			to.RetryAfter = -1 // hints are ignored
		}
	}
	if n, ok := t.float("budget"); ok {
		to.Budget = n
		r.OwnBudget = own
	}
}

// complete reports tables that are still missing something when everything is
// merged.
func (b *builder) complete(r *resolved) {
	b.retryComplete(r)
	if r.RateLimit != nil && r.RateLimit.Rate == 0 && r.rate.get("rate") == nil {
		b.say(r.rate, "missing_key", `add rate = "20/s"`, "the rate limit says no rate")
	}
	if r.Hedge != nil && r.Hedge.Delay == 0 && r.hedge.get("delay") == nil {
		b.say(r.hedge, "missing_key", `add delay = "2s"`, "the hedge says no delay")
	}
}

func (b *builder) retryComplete(r *resolved) {
	if r.retry != nil && !r.hasRetries {
		b.say(r.retry, "missing_key", "add max_retries = 3, or 0 for none", "the retry does not say how often: max_retries is given nowhere")
	}
}

func (b *builder) policies(t *item) {
	b.plan.Policies = map[string]*Policy{}
	for _, e := range t.all() {
		if e.item.kind == tableKind {
			b.plan.Policies[e.key] = &b.base(e.key).Policy
		}
	}
}

// breakers reads the breakers; a key that another file of the same run defines
// must be defined alike.
func (b *builder) breakers(t *item) {
	b.plan.Breakers = map[string]resilience.BreakerConfig{}
	for _, e := range t.all() {
		if e.item.kind != tableKind {
			continue
		}
		c := b.breaker(e.item)
		b.plan.Breakers[e.key] = c
		line, _ := b.place(e.at)
		if first, ok := b.l.breakers[e.key]; !ok {
			b.l.breakers[e.key] = breakerPlace{c, b.file, line}
		} else if !sameBreaker(first.config, c) {
			b.sayAt(e.at, e.end, "breaker_conflict", "give it another name, or the same settings",
				"breaker %q is shared with %s:%d, which gives it other settings", e.key, first.file, first.line)
		}
	}
}

func sameBreaker(x, y resilience.BreakerConfig) bool {
	same := slices.Equal(slices.Sorted(slices.Values(x.Counts)), slices.Sorted(slices.Values(y.Counts)))
	x.Counts, y.Counts = nil, nil
	return same && x.FailureThreshold == y.FailureThreshold && x.Window == y.Window && x.FailureRate == y.FailureRate &&
		x.MinCalls == y.MinCalls && x.RecoveryTimeout == y.RecoveryTimeout &&
		x.SuccessThreshold == y.SuccessThreshold && x.HalfOpenMax == y.HalfOpenMax
}

func (b *builder) breaker(t *item) resilience.BreakerConfig {
	c := resilience.DefaultBreaker()
	for key, to := range map[string]*int{
		"failure_threshold": &c.FailureThreshold, "min_calls": &c.MinCalls, "success_threshold": &c.SuccessThreshold, "half_open_max": &c.HalfOpenMax,
	} {
		if n, ok := t.integer(key); ok && n > 0 {
			*to = int(n)
		}
	}
	c.Window = t.duration("window")
	if n, ok := t.float("failure_rate"); ok {
		c.FailureRate = n
		if c.Window == 0 {
			c.Window = resilience.DefaultRateWindow
		}
		if e := t.find("failure_threshold"); e != nil {
			b.sayAt(e.at, e.end, "contradiction", "give one of them", "failure_rate is used instead of failure_threshold, not beside it")
		}
	} else if e := t.find("min_calls"); e != nil {
		b.sayAt(e.at, e.end, "contradiction", "add failure_rate = 0.5, or leave min_calls away", "min_calls goes with failure_rate, which is not given")
	}
	if d := t.duration("recovery_timeout"); d > 0 {
		c.RecoveryTimeout = d
	}
	if t.get("counts") != nil {
		c.Counts = []resilience.Class{}
		for _, s := range t.strings("counts") {
			c.Counts = append(c.Counts, resilience.Class(s))
		}
	}
	return c
}
