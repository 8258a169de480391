package resilience

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestLimiter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := NewLimiter(RateLimit{Rate: 2, Burst: 3, MaxWait: time.Second}, nil)
		start := time.Now()
		var waits []time.Duration
		for range 5 {
			if err := l.Acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
			waits = append(waits, time.Since(start))
		}
		// Three at once, then one every half second.
		for i, want := range []time.Duration{0, 0, 0, time.Second / 2, time.Second} {
			if waits[i] != want {
				t.Errorf("call %d after %v, want %v", i, waits[i], want)
			}
		}
	})
}

func TestLimiterRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := NewLimiter(RateLimit{Rate: 0.5, MaxWait: time.Second}, nil)
		if !l.TryAcquire() || l.TryAcquire() {
			t.Error("one token, and only one, is there at first")
		}
		start := time.Now()
		err := l.Acquire(t.Context())
		f := wantFailure(t, err, CodeRateLimited, Transient)
		if f.RetryAfter != 2*time.Second || !errors.Is(err, ErrRateLimited) || time.Since(start) != 0 {
			t.Errorf("%+v after %v", f, time.Since(start))
		}
		if want := "rate_limited: the next token comes in 2s, longer than max_wait = 1s"; err.Error() != want {
			t.Errorf("got %q", err)
		}
		// A refusal took nothing: a second later the token is one second away.
		time.Sleep(time.Second)
		if err := l.Acquire(t.Context()); err != nil || time.Since(start) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestLimiterCancel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := NewLimiter(RateLimit{Rate: 0.1, MaxWait: time.Hour}, nil)
		l.TryAcquire()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := l.Acquire(ctx)
		wantFailure(t, err, CodeCancelled, Unknown)
		start := time.Now()
		if err := l.Acquire(t.Context()); err != nil || time.Since(start) != 9*time.Second {
			t.Errorf("%v after %v: the token of the cancelled call is lost", err, time.Since(start))
		}
	})
}

// Whatever is asked for and cancelled, no stretch of time sees more calls than
// burst + rate * stretch.
func TestLimiterNeverExceedsTheRate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rate := rapid.IntRange(1, 5).Draw(rt, "rate")
		burst := rapid.IntRange(1, 4).Draw(rt, "burst")
		type ask struct{ at, patience time.Duration }
		asks := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ask {
			return ask{
				time.Duration(rapid.IntRange(0, 3000).Draw(t, "at")) * time.Millisecond,
				time.Duration(rapid.IntRange(1, 2000).Draw(t, "patience")) * time.Millisecond,
			}
		}), 1, 30).Draw(rt, "asks")
		bubble(t, func(t *testing.T) {
			l := NewLimiter(RateLimit{Rate: float64(rate), Burst: burst, MaxWait: 5 * time.Second}, nil)
			start := time.Now()
			var mu sync.Mutex
			var got []time.Duration
			var callers sync.WaitGroup
			for _, a := range asks {
				callers.Go(func() {
					time.Sleep(a.at)
					ctx, cancel := context.WithTimeout(t.Context(), a.patience)
					defer cancel()
					if l.Acquire(ctx) == nil {
						mu.Lock()
						got = append(got, time.Since(start))
						mu.Unlock()
					}
				})
			}
			callers.Wait()
			for i := range got {
				for j := i; j < len(got); j++ {
					span := got[j] - got[i]
					if allowed := float64(burst) + float64(rate)*span.Seconds() + 1e-3; float64(j-i+1) > allowed {
						rt.Fatalf("%d calls within %v, at most %.2f allowed: %v", j-i+1, span, allowed, got)
					}
				}
			}
		})
	})
}

func TestLimiterExtremes(t *testing.T) {
	if NewLimiter(RateLimit{}, nil) != nil || !(*Limiter)(nil).TryAcquire() || (*Limiter)(nil).Acquire(t.Context()) != nil {
		t.Error("no rate is no limit")
	}
	fast := NewLimiter(RateLimit{Rate: 1e300, Burst: 1 << 40}, nil)
	slow := NewLimiter(RateLimit{Rate: 1e-300, Burst: 1 << 40, MaxWait: 1<<63 - 1}, nil)
	for range 1000 {
		if !fast.TryAcquire() {
			t.Fatal("an endless rate refused")
		}
		if _, _, ok := slow.reserve(1<<63 - 1); !ok && slow.next < 0 {
			t.Fatal("overflow")
		}
	}
	clock := NewManualClock(epoch)
	l := NewLimiter(RateLimit{Rate: 1}, clock)
	l.TryAcquire()
	clock.Set(epoch.Add(-time.Hour)) // set back: as if no time had passed
	if l.TryAcquire() {
		t.Error("a token out of nowhere")
	}
	clock.Advance(time.Second)
	if !l.TryAcquire() {
		t.Error("no token after a second")
	}
}

func TestBulkhead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := NewBulkhead(2)
		var mu sync.Mutex
		running, most := 0, 0
		s := NewStack[int](Policy{Bulkhead: b}, nil)
		var callers sync.WaitGroup
		start := time.Now()
		for range 10 {
			callers.Go(func() {
				_, _ = s.Do(t.Context(), Options{}, func(ctx context.Context, _ Attempt) (int, error) {
					mu.Lock()
					running++
					most = max(most, running)
					mu.Unlock()
					time.Sleep(time.Second)
					mu.Lock()
					running--
					mu.Unlock()
					return 0, nil
				})
			})
		}
		callers.Wait()
		if most != 2 || time.Since(start) != 5*time.Second {
			t.Errorf("%d at once, %v in all; want 2 and 5s", most, time.Since(start))
		}
		for i, want := range []bool{true, true, false} {
			if b.TryAcquire() != want {
				t.Errorf("slot %d is free: %v, want %v", i, !want, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		b.Release()
		for range 100 { // a free slot is not taken by one who has left
			if b.Acquire(ctx) == nil {
				t.Fatal("acquired after the end")
			}
		}
		synctest.Wait()
	})
	if NewBulkhead(0) != nil {
		t.Error("no slots is no bulkhead")
	}
	var none *Bulkhead
	if none.Acquire(t.Context()) != nil || !none.TryAcquire() {
		t.Error("a nil bulkhead refused")
	}
	none.Release()
}
