package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wasmhost/host/event"
)

const (
	// canaryEvery is which of the idempotent calls a canary gets.
	canaryEvery = 10
	// A canary that takes this much longer than the slowest calls of the current
	// version is stopped, though never before patience is over.
	canarySlower = 10
	patience     = time.Second
)

// canary makes a call to the version on trial, when it is its turn. answered is
// false when the current version has to: it was not the canary's turn, or the
// canary failed, which failed tells then. With answered, failed is the call's
// own error: the caller ended it.
func (v *Versions) canary(ctx context.Context, c Call, now *lineup) (a Answer, failed error, answered bool) {
	t := now.trial
	if t.turns.Add(1)%canaryEvery != 0 {
		return a, nil, false
	}
	p := t.version.plugin
	if working, _, _ := p.pool.load(); working >= p.limits.Instances {
		return a, nil, false // it would wait where another version need not
	}
	limit, ok := canaryTime(ctx, now.current)
	if !ok {
		return a, nil, false
	}
	own, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c.Meta.Deadline, _ = own.Deadline()
	a, err := p.Call(own, c)
	switch {
	case err == nil:
		t.version.count(a.Duration, nil)
		v.decide(t, t.answered(a.Duration))
		return a, nil, true
	case tooLate(err): // the trial has ended meanwhile
		return a, nil, false
	case ctx.Err() != nil: // nobody could answer any more
		t.version.count(a.Duration, err)
		return a, err, true
	}
	t.version.count(a.Duration, err)
	if c.Log != nil {
		c.Log(levelWarn, fmt.Sprintf("the version on trial, %s, failed (%v); the call is repeated on the current one", p.Digest(), err))
	}
	return a, err, false
}

// canaryTime is how long a canary may take for a call, so that the current
// version can still answer it in time; false when there is not enough time for
// both.
func canaryTime(ctx context.Context, current *version) (time.Duration, bool) {
	slow := quantile(current.latencies(), 0.99)
	limit := max(canarySlower*slow, patience)
	deadline, ok := ctx.Deadline()
	if !ok {
		return limit, true
	}
	left := time.Until(deadline)
	reserve := left / 2
	if slow > 0 { // twice what its slowest calls take, and a little
		reserve = 2*slow + 10*time.Millisecond
	}
	return min(limit, left-reserve), left-reserve >= reserve/2
}

// answered counts a call that the canary answered well.
func (t *trial) answered(took time.Duration) verdict {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return verdict{}
	}
	t.judge.good++
	t.judge.mine.add(took)
	return t.reached()
}

// other counts a call that the current version answered. With failed, the
// canary had failed at it before: that is held against it when the current
// version succeeded, and says nothing when it failed too.
func (t *trial) other(took time.Duration, err, failed error) verdict {
	if err != nil && gaveUp(err) {
		return verdict{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return verdict{}
	}
	t.judge.others++
	if err != nil {
		t.judge.othersFailed++
		return verdict{}
	}
	t.judge.theirs.add(took)
	if failed == nil {
		return verdict{}
	}
	t.judge.failures++
	t.judge.last = inALine(failed)
	return t.reached()
}

// reached is the verdict, if there is one by now. The first one stands.
func (t *trial) reached() verdict {
	d := t.judge.verdict(t.Good)
	t.over = d.over
	return d
}

// inALine is an error without more than a line of it.
func inALine(err error) string {
	var e *event.Error
	if errors.As(err, &e) && e.Code != "" {
		return shorten(e.Code+": "+e.Message, 200)
	}
	return shorten(err.Error(), 200)
}
