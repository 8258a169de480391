package resilience

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// paces is a function whose calls take the given times and end as told, in the
// order in which they start.
func paces(calls ...pace) func(context.Context, Attempt) (int, error) {
	var mu sync.Mutex
	n := 0
	return func(ctx context.Context, _ Attempt) (int, error) {
		mu.Lock()
		i := n
		n++
		mu.Unlock()
		if err := sleep(ctx, RealClock(), calls[i].d); err != nil {
			return 0, err
		}
		return i, calls[i].err
	}
}

type pace struct {
	d   time.Duration
	err error
}

func TestHedge(t *testing.T) {
	const s = time.Second
	for name, c := range map[string]struct {
		max   int
		calls []pace
		trace string
		v     int
		err   string
	}{
		"fast enough": {1, []pace{{2*s - 1, nil}}, `
			0s start 1 until 1m0s
			1.999999999s end 1 ok after 1.999999999s`, 0, ""},
		"the first wins after all": {1, []pace{{3 * s, nil}, {9 * s, nil}}, `
			0s start 1 until 1m0s
			2s start 1 hedge until 1m2s
			3s end 1 ok after 3s
			3s end 1 hedge unknown/hedge_lost/false after 1s`, 0, ""},
		"the hedge wins": {1, []pace{{9 * s, nil}, {1 * s, nil}}, `
			0s start 1 until 1m0s
			2s start 1 hedge until 1m2s
			3s end 1 hedge ok after 1s
			3s end 1 unknown/hedge_lost/false after 3s`, 1, ""},
		"the second of two hedges wins": {2, []pace{{9 * s, nil}, {9 * s, nil}, {1 * s, nil}}, `
			0s start 1 until 1m0s
			2s start 1 hedge until 1m2s
			4s start 1 hedge until 1m4s
			5s end 1 hedge ok after 1s`, 2, ""}, // its losers end in any order
		"a failure before the delay is the end": {1, []pace{{1 * s, transient("down")}}, `
			0s start 1 until 1m0s
			1s end 1 transient//false after 1s`, 0, "down"},
		"a transient failure waits for the other": {1, []pace{{3 * s, transient("down")}, {5 * s, nil}}, `
			0s start 1 until 1m0s
			2s start 1 hedge until 1m2s
			3s end 1 transient//false after 3s
			7s end 1 hedge ok after 5s`, 1, ""},
		"a permanent failure is an answer": {1, []pace{{3 * s, permanent("bad")}, {5 * s, nil}}, `
			0s start 1 until 1m0s
			2s start 1 hedge until 1m2s
			3s end 1 permanent//false after 3s
			3s end 1 hedge unknown/hedge_lost/false after 1s`, 0, "bad"},
		"a permanent failure of the hedge too": {1, []pace{{9 * s, nil}, {1 * s, permanent("bad")}}, `
			0s start 1 until 1m0s
			2s start 1 hedge until 1m2s
			3s end 1 hedge permanent//false after 1s
			3s end 1 unknown/hedge_lost/false after 3s`, 0, "bad"},
		"all fail: the first one's failure": {1, []pace{{5 * s, transient("first")}, {1 * s, transient("second")}}, `
			0s start 1 until 1m0s
			2s start 1 hedge until 1m2s
			3s end 1 hedge transient//false after 1s
			5s end 1 transient//false after 5s`, 0, "first"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				st := NewStack[int](Policy{Timeout: time.Minute, Hedge: &Hedge{Delay: 2 * s, Max: c.max}}, nil)
				seen := newTrace(RealClock())
				v, err := st.Do(t.Context(), Options{Idempotent: true, Observer: seen}, paces(c.calls...))
				if v != c.v || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
					t.Errorf("got %v, %v; want %v, %s", v, err, c.v, c.err)
				}
				seen.lines = seen.lines[:min(len(seen.lines), len(strings.Split(strings.TrimSpace(c.trace), "\n")))]
				wantTrace(t, seen, c.trace)
			})
		})
	}
}

func TestHedgeTakesATokenAndASlotOfItsOwn(t *testing.T) {
	slow := func() func(context.Context, Attempt) (int, error) {
		return paces(pace{5 * time.Second, nil}, pace{time.Second, nil})
	}
	for name, c := range map[string]struct {
		slots   int
		rate    *RateLimit
		gate    int
		started bool
	}{
		"nothing in the way": {started: true},
		"a slot is free":     {slots: 2, started: true},
		"no slot is free":    {slots: 1},
		"no token is there":  {rate: &RateLimit{Rate: 0.1, MaxWait: time.Hour}},
		"a token is there":   {rate: &RateLimit{Rate: 0.1, Burst: 2}, started: true},
		"no way in":          {gate: 1},
		"a way in":           {gate: 2, started: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := Policy{Hedge: &Hedge{Delay: time.Second}, Bulkhead: NewBulkhead(c.slots)}
				o := Options{Idempotent: true}
				if c.rate != nil {
					p.Limiter = NewLimiter(*c.rate, nil)
				}
				if c.gate > 0 {
					o.Gate = slots(make(chan struct{}, c.gate))
				}
				v, err := NewStack[int](p, nil).Do(t.Context(), o, slow())
				if err != nil || (v == 1) != c.started {
					t.Errorf("call %d answered (%v)", v, err)
				}
				for range c.slots {
					if !p.Bulkhead.TryAcquire() {
						t.Error("a slot is still taken")
					}
				}
			})
		})
	}
}

// A gate that cannot say no at once makes the hedge wait, and only it.
func TestHedgeAtAPlainGate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := plainGate{slots(make(chan struct{}, 1))}
		st := NewStack[int](Policy{Hedge: &Hedge{Delay: time.Second}}, nil)
		v, err := st.Do(t.Context(), Options{Idempotent: true, Gate: g}, paces(pace{5 * time.Second, nil}, pace{}))
		if v != 0 || err != nil || len(g.g) != 0 {
			t.Errorf("got %v, %v; %d inside", v, err, len(g.g))
		}
	})
}

type plainGate struct{ g slots }

func (p plainGate) Enter(ctx context.Context) error { return p.g.Enter(ctx) }
func (p plainGate) Leave()                          { p.g.Leave() }

// A hedge is for a slow call, not for one that waits for its turn.
func TestHedgeCountsFromTheStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		full := NewBulkhead(2)
		full.TryAcquire()
		full.TryAcquire()
		time.AfterFunc(time.Minute, func() { full.Release(); full.Release() })
		st := NewStack[int](Policy{Hedge: &Hedge{Delay: 2 * time.Second}, Bulkhead: full}, nil)
		seen := newTrace(RealClock())
		_, _ = st.Do(t.Context(), Options{Idempotent: true, Observer: seen}, paces(pace{time.Second, nil}))
		wantTrace(t, seen, `
			1m0s start 1 until never
			1m1s end 1 ok after 1s`)
	})
}

// The breaker sees one call, whatever ran inside.
func TestHedgeIsOneCallForTheBreaker(t *testing.T) {
	bubble(t, func(t *testing.T) {
		breaker := NewBreaker("b", DefaultBreaker(), nil)
		st := NewStack[int](Policy{Hedge: &Hedge{Delay: time.Second}, Breaker: breaker}, nil)
		_, err := st.Do(t.Context(), Options{Idempotent: true}, paces(pace{3 * time.Second, transient("a")}, pace{time.Second, transient("b")}))
		if n := breaker.Snapshot().Failures; n != 1 || err == nil {
			t.Errorf("%d failures, want 1 (%v)", n, err)
		}
		_, err = st.Do(t.Context(), Options{Idempotent: true}, paces(pace{3 * time.Second, nil}, pace{time.Second, nil}))
		if n := breaker.Snapshot().Failures; n != 0 || err != nil {
			t.Errorf("%d failures, want 0 (%v)", n, err)
		}

		// An open breaker stops hedges of calls that it let through before.
		time.AfterFunc(time.Second/2, breaker.Open)
		v, err := st.Do(t.Context(), Options{Idempotent: true}, paces(pace{3 * time.Second, nil}, pace{}))
		if v != 0 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
	})
}

func TestHedgeAndCancel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err := NewStack[int](Policy{Hedge: &Hedge{Delay: time.Second}}, nil).Do(ctx, Options{Idempotent: true}, paces(pace{time.Hour, nil}, pace{time.Hour, nil}))
		wantFailure(t, err, CodeCancelled, Unknown)
		if time.Since(start) != 3*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestHedgePanics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := NewStack[int](Policy{Hedge: &Hedge{Delay: time.Second}}, nil)
		v, err := st.Do(t.Context(), Options{Idempotent: true}, func(ctx context.Context, a Attempt) (int, error) {
			if a.Hedge {
				panic("in the hedge")
			}
			return takes(3*time.Second, nil)(ctx, a)
		})
		if v != 1 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
	})
}
