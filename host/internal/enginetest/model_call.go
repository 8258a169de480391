package enginetest

import (
	"fmt"
	"math"
	"slices"
	"time"

	"wasmhost/host/event"
	"wasmhost/resilience"
)

// startOne starts a node or an item: a sub-workflow at once, a call as soon as
// there is a slot.
func (f *modelFlow) startOne(i, item int) {
	if f.s.nodes[i].sub == nil {
		f.queue(&job{f: f, i: i, item: item})
		return
	}
	f.startTimer(i)
	l := f.child(i, item)
	before := l.calls
	f.m.startNow(func(a *actor) {
		level := l.run(a)
		f.subEnded(i, item, &level, l.calls-before)
	})
}

func (f *modelFlow) child(i, item int) *modelLadder {
	n, s := &f.s.nodes[i], &f.nodes[i]
	at := &s.child
	if item >= 0 {
		at = &s.items.children[item]
	}
	if *at == nil {
		name := f.name(i, item)
		*at = &modelLadder{m: f.m, s: n.sub, over: f.l, prefix: f.l.prefix + name + "/", keys: f.l.keys + name + "/", deadline: n.sub.deadline}
		if d := n.deadline; item < 0 && d > 0 && (n.sub.deadline == 0 || d < n.sub.deadline) {
			(*at).deadline = d
		}
	}
	return *at
}

func (f *modelFlow) name(i, item int) string {
	if item < 0 {
		return f.s.nodes[i].id
	}
	return fmt.Sprintf("%s[%d]", f.s.nodes[i].id, item)
}

func (f *modelFlow) subEnded(i, item int, level *event.Level, calls int) {
	n, s := &f.s.nodes[i], &f.nodes[i]
	r := &event.NodeResult{Status: level.Status, Run: level}
	switch level.Status {
	case event.Succeeded, event.Degraded:
		r.Output, r.AnsweredBy = event.Text("done"), "primary"
	case event.Failed:
		r.Error = level.Error
		itemCut := item >= 0 && s.items.cut
		if len(n.answerers) > 1 && r.Error.Code != "outcome_unknown" && !f.forbids(n) && !itemCut {
			f.queue(&job{f: f, i: i, item: item, from: 1, prior: r, calls: calls})
			f.m.dispatch()
			return
		}
	}
	f.oneEnded(i, item, r, calls)
}

// startTimer begins the deadline of all items, with the first of them.
func (f *modelFlow) startTimer(i int) {
	n, it := &f.s.nodes[i], f.nodes[i].items
	if n.deadline == 0 || it == nil || it.timed {
		return
	}
	it.timed = true
	round := it.round
	f.m.after(n.deadline, func() {
		if it.round == round {
			f.cutItems(i, "deadline", true)
			f.m.decide()
		}
	})
}

// job is one call of a node or an item: its answerers, one after the other.
type job struct {
	f       *modelFlow
	i, item int
	from    int               // the first answerer that is asked
	prior   *event.NodeResult // of the sub-workflow before it
	a       *actor            // nil while it waits to begin
	holds   bool              // a slot
	calls   int
}

func (f *modelFlow) queue(j *job) {
	f.nodes[j.i].calls = append(f.nodes[j.i].calls, j)
	f.m.ready = append(f.m.ready, j)
}

// dispatch lets calls begin, in the order in which they became ready. Who comes
// back from a wait goes first.
func (m *model) dispatch() {
	for m.free > 0 && len(m.waiting) == 0 && len(m.ready) > 0 {
		j := m.ready[0]
		m.ready = m.ready[1:]
		m.free--
		j.holds = true
		j.f.startTimer(j.i)
		j.a = m.start(j.run)
	}
}

// release gives a slot back.
func (m *model) release(j *job) {
	if !j.holds {
		return
	}
	j.holds = false
	m.free++
	if len(m.waiting) > 0 {
		next := m.waiting[0]
		m.waiting = m.waiting[1:]
		m.free--
		next.wakeAfter(0)
		return
	}
	m.dispatch()
}

// stop cuts the call; one that has not begun is answered for.
func (j *job) stop() {
	m := j.f.m
	if j.a != nil {
		j.a.stop()
		return
	}
	at := slices.Index(m.ready, j)
	if at < 0 {
		return
	}
	m.ready = slices.Delete(m.ready, at, at+1)
	m.after(0, func() {
		r := &event.NodeResult{Status: event.Cancelled}
		if j.prior != nil {
			r.Run, r.Errors = j.prior.Run, []*event.Error{j.prior.Error}
		}
		j.f.oneEnded(j.i, j.item, r, j.calls)
	})
}

func (j *job) run(a *actor) {
	f, n := j.f, &j.f.s.nodes[j.i]
	r := &event.NodeResult{Status: event.Failed}
	if j.prior != nil {
		r.Run, r.Errors = j.prior.Run, []*event.Error{j.prior.Error}
	}
	for who := j.from; who < len(n.answerers); who++ {
		if who > 0 {
			if a.cut {
				r.Errors = append(r.Errors, cancelledError(false))
				break
			}
			f.m.trace.fallbacks = append(f.m.trace.fallbacks, fmt.Sprintf("%s %s%s: fallback[%d]", f.m.now, f.l.prefix, f.name(j.i, j.item), who-1))
		}
		by := "primary"
		if who > 0 {
			by = fmt.Sprintf("fallback[%d]", who-1)
		}
		out, err := j.ask(a, &n.answerers[who], who)
		if err == nil {
			r.Status, r.Output, r.AnsweredBy = event.Succeeded, event.Text(out), by
			if who > 0 {
				r.Status = event.Degraded
			}
			break
		}
		r.Errors = append(r.Errors, err)
		if a.cut || err.Code == "outcome_unknown" || err.Code == "cancelled" {
			break
		}
	}
	if r.Status == event.Failed {
		r.Error = r.Errors[len(r.Errors)-1]
		if r.Error.Code == "cancelled" {
			r.Status, r.Error = event.Cancelled, nil
		}
		if len(r.Errors) == 1 && j.prior == nil {
			r.Errors = nil
		}
	}
	f.oneEnded(j.i, j.item, r, j.calls)
	f.m.release(j)
}

func cancelledError(unknown bool) *event.Error {
	return &event.Error{Class: event.Unknown, Code: "cancelled", OutcomeUnknown: unknown}
}

// ask asks one answerer under its policies.
func (j *job) ask(a *actor, ans *sketchAnswerer, who int) (string, *event.Error) {
	m, n := j.f.m, &j.f.s.nodes[j.i]
	if ans.value {
		return "value", nil
	}
	if a.sleep(ans.lookup) {
		return "", cancelledError(false)
	}
	deadline := time.Duration(math.MaxInt64)
	if ans.deadline > 0 {
		deadline = m.now + ans.deadline
	}
	previous := time.Duration(0)
	for try := 0; ; try++ {
		out, attempt, err, neutral := j.try(a, ans, who, deadline, try == 0)
		if err == nil {
			return out, nil
		}
		if err.OutcomeUnknown && n.once {
			return "", &event.Error{Class: err.Class, Code: "outcome_unknown", OutcomeUnknown: true}
		}
		if neutral || try >= ans.retry.MaxRetries || !slices.Contains(ans.retry.On, resilience.Class(err.Class)) {
			return "", err
		}
		key := j.f.l.keys + j.f.name(j.i, j.item)
		wait := modelDelay(&ans.retry, try, previous, err.RetryAfter(), jitter(j.f.s.seed)(key, attempt))
		if m.now+wait >= deadline {
			return "", &event.Error{Class: event.Transient, Code: "deadline", OutcomeUnknown: err.OutcomeUnknown}
		}
		if !j.mayRetry(ans, who) {
			return "", err
		}
		m.trace.waits = append(m.trace.waits, fmt.Sprintf("%s %s%s: #%d in %s", m.now, j.f.l.prefix, j.f.name(j.i, j.item), attempt+1, wait.Truncate(time.Microsecond)))
		m.release(j)
		if a.sleep(wait) {
			return "", cancelledError(false)
		}
		previous = wait
	}
}

// budget is the bucket of the answerer, in millionths; nil: none.
func (j *job) budget(ans *sketchAnswerer, who int) (key string, gain int) {
	if ans.retry.Budget == 0 || ans.retry.MaxRetries == 0 {
		return "", 0
	}
	key = fmt.Sprintf("%s/%d/%d", j.f.s.name, j.i, who)
	if ans.budget != "" {
		key = j.f.s.name + "." + ans.budget
	}
	if _, ok := j.f.m.budgets[key]; !ok {
		j.f.m.budgets[key] = 10_000_000
	}
	return key, int(math.Round(ans.retry.Budget * 1_000_000))
}

func (j *job) mayRetry(ans *sketchAnswerer, who int) bool {
	key, _ := j.budget(ans, who)
	if key == "" {
		return true
	}
	if j.f.m.budgets[key] < 1_000_000 {
		return false
	}
	j.f.m.budgets[key] -= 1_000_000
	return true
}

// try is one attempt: breaker, slot, call under its timeout. Neutral: it says
// nothing about the callee and is not retried.
func (j *job) try(a *actor, ans *sketchAnswerer, who int, deadline time.Duration, first bool) (out string, attempt int, err *event.Error, neutral bool) {
	m := j.f.m
	b := m.breakers[ans.breaker]
	period, counts := 0, "-"
	if b != nil {
		var ok bool
		if period, ok = b.admit(m.now); !ok {
			return "", 0, b.refusal(m.now), true
		}
		defer func() { b.done(m.now, period, counts) }()
	}
	if !j.holds {
		if err := j.enter(a, deadline); err != nil {
			return "", 0, err, true
		}
		if b != nil {
			// The state may have changed meanwhile.
			b.look(m.now)
			if period != b.period {
				var ok bool
				if period, ok = b.admit(m.now); !ok {
					return "", 0, b.refusal(m.now), true
				}
			}
		}
	}

	s := &j.f.nodes[j.i]
	direct := &s.direct
	if j.item >= 0 {
		direct = &s.items.direct[j.item]
	}
	*direct++
	attempt = *direct
	j.calls++
	for l := j.f.l; l != nil; l = l.over {
		l.calls++
	}
	if key, gain := j.budget(ans, who); key != "" && first {
		m.budgets[key] = min(m.budgets[key]+gain, 10_000_000)
	}
	key := "run-1/" + j.f.l.keys + j.f.name(j.i, j.item)
	if who > 0 {
		key += fmt.Sprintf("#%d", who)
	}
	m.trace.starts = append(m.trace.starts, fmt.Sprintf("%s %s%s#%d %s", m.now, j.f.l.prefix, j.f.name(j.i, j.item), attempt, key))

	o := ans.outcome(j.f.s.seed, key, attempt)
	byTimeout := m.now+ans.timeout < deadline
	limit := deadline - m.now
	if byTimeout {
		limit = ans.timeout
	}
	switch cut := a.sleep(min(o.took, limit)); {
	case cut:
		return "", attempt, cancelledError(true), true
	case o.took >= limit && !byTimeout:
		return "", attempt, &event.Error{Class: event.Transient, Code: "deadline", OutcomeUnknown: true}, true
	case o.took >= limit:
		counts = event.Transient
		return "", attempt, &event.Error{Class: event.Transient, Code: "timeout", OutcomeUnknown: true}, false
	case o.class != "":
		counts = o.class
		return "", attempt, &event.Error{Class: o.class, Code: o.code, RetryAfterMS: o.hint.Milliseconds()}, false
	}
	counts = ""
	return fmt.Sprintf("%s#%d", key, attempt), attempt, nil, false
}

// enter waits for a slot, until the deadline.
func (j *job) enter(a *actor, deadline time.Duration) *event.Error {
	m := j.f.m
	switch {
	case a.cut:
		return cancelledError(false)
	case m.free > 0 && len(m.waiting) == 0:
		m.free--
		j.holds = true
		return nil
	}
	m.waiting = append(m.waiting, a)
	if deadline < math.MaxInt64 {
		a.waits++
		a.wakeAfter(deadline - m.now)
		a.wait(struct{}{})
	} else {
		a.park()
	}
	at := slices.Index(m.waiting, a)
	if at < 0 { // somebody's slot was handed over
		j.holds = true
		if a.cut {
			m.release(j)
			return cancelledError(false)
		}
		return nil
	}
	m.waiting = slices.Delete(m.waiting, at, at+1)
	if a.cut {
		return cancelledError(false)
	}
	return &event.Error{Class: event.Transient, Code: "deadline"}
}
