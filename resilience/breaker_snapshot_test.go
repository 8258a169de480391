package resilience

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// carry takes a breaker's state to another process: through JSON, to a clock of
// its own that shows at.
func carry(t interface {
	Helper()
	Fatal(...any)
}, b *Breaker, at time.Time) (*Breaker, *ManualClock) {
	t.Helper()
	text, err := json.Marshal(b.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	var s BreakerSnapshot
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	clock := NewManualClock(at)
	c := NewBreaker(b.Key(), b.Config(), clock)
	c.Restore(s)
	return c, clock
}

func TestRestoreOpen(t *testing.T) {
	for name, c := range map[string]struct {
		away, left time.Duration
	}{
		"at once":                   {0, 40 * time.Second},
		"after ten seconds":         {10 * time.Second, 30 * time.Second},
		"just in time":              {40 * time.Second, 0},
		"long after":                {time.Hour, 0},
		"a clock that is set back":  {-time.Hour, 40 * time.Second},
		"a clock that is far ahead": {1000 * 24 * time.Hour, 0},
	} {
		clock := NewManualClock(epoch)
		old := NewBreaker("b", DefaultBreaker(), clock)
		play(old, "fffff")
		clock.Advance(20 * time.Second)
		b, here := carry(t, old, clock.Now().Add(c.away))
		s := b.Snapshot()
		if s.Remaining != c.left {
			t.Errorf("%s: %v are left, want %v", name, s.Remaining, c.left)
		}
		if !s.OpenedAt.Equal(epoch) {
			t.Errorf("%s: opened at %v", name, s.OpenedAt)
		}
		if s.LastFailure == nil || s.LastFailure.Message != "down" {
			t.Errorf("%s: last failure %v", name, s.LastFailure)
		}
		here.Advance(c.left)
		wantState(t, b, HalfOpen)
	}
}

func TestRestoreIsCutToTheConfiguration(t *testing.T) {
	b := NewBreaker("b", BreakerConfig{FailureThreshold: 2, RecoveryTimeout: time.Second}, NewManualClock(epoch))
	b.Restore(BreakerSnapshot{State: Open, TakenAt: epoch, Remaining: time.Hour})
	if left := b.Snapshot().Remaining; left != time.Second {
		t.Errorf("open for %v, want 1s", left)
	}
	b.Restore(BreakerSnapshot{State: Closed, TakenAt: epoch, Failures: 100})
	wantState(t, b, Closed)
	play(b, "f")
	wantState(t, b, Open)
	b.Restore(BreakerSnapshot{State: HalfOpen, TakenAt: epoch, Successes: 100})
	wantState(t, b, HalfOpen)
	b.Restore(BreakerSnapshot{State: "ajar", TakenAt: epoch, Failures: -7})
	play(b, "f")
	wantState(t, b, Closed)
}

// A call that was under way at Restore does not count.
func TestRestoreMakesCallsStale(t *testing.T) {
	b := NewBreaker("b", DefaultBreaker(), NewManualClock(epoch))
	p, _ := b.acquire()
	b.Restore(BreakerSnapshot{State: Closed, TakenAt: epoch, Failures: 4})
	b.done(p, failure, transient("late"))
	wantState(t, b, Closed)
	play(b, "f")
	wantState(t, b, Open)
}

// However often a breaker is carried to another process, it behaves as if it
// had stayed in one.
func TestCarriedBreakerIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := BreakerConfig{FailureThreshold: 3, RecoveryTimeout: 10 * time.Second, SuccessThreshold: 2}
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 1:
			cfg.Window = 30 * time.Second
		case 2:
			cfg.Window, cfg.FailureRate, cfg.MinCalls = 30*time.Second, 0.5, 4
		}
		clock := NewManualClock(epoch)
		stays := NewBreaker("b", cfg, clock)
		moves, clock2 := NewBreaker("b", cfg, clock), clock
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				d := time.Duration(rapid.IntRange(1, 12).Draw(t, "seconds")) * time.Second
				clock.Advance(d)
				if clock2 != clock {
					clock2.Advance(d)
				}
			case 1:
				moves, clock2 = carry(t, moves, clock.Now())
			default:
				o := rapid.SampledFrom([]string{"s", "f", "f", "."}).Draw(t, "outcome")
				if a, b := play(stays, o), play(moves, o); a != b {
					t.Fatalf("let through: %d and %d", a, b)
				}
			}
			a, b := stays.Snapshot(), moves.Snapshot()
			if a.State != b.State || a.Remaining != b.Remaining || a.State == Closed && a.Failures != b.Failures {
				t.Fatalf("one that stayed: %+v\none that moved: %+v", a, b)
			}
		}
	})
}

// Whatever was stored, Restore leaves a breaker that works.
func FuzzRestore(f *testing.F) {
	f.Add([]byte(`{"state":"open","taken_at":"2026-01-01T00:00:00Z","remaining_ns":1}`))
	f.Add([]byte(`{"state":"closed","window":[{"age_ns":-5,"failures":9},{"age_ns":9223372036854775807,"successes":-1}]}`))
	f.Add([]byte(`{"state":"half_open","successes":9,"last_failure":{"class":"x"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var s BreakerSnapshot
		if json.Unmarshal(text, &s) != nil {
			return
		}
		for _, cfg := range []BreakerConfig{{}, {Window: time.Minute}, {FailureRate: 0.5}} {
			clock := NewManualClock(epoch)
			b := NewBreaker("b", cfg, clock)
			b.Restore(s)
			if left := b.Snapshot().Remaining; left < 0 || left > time.Minute {
				t.Fatalf("%v are left", left)
			}
			clock.Advance(time.Minute)
			if b.State() == Open {
				t.Fatal("still open after the recovery timeout")
			}
			if play(b, "s") != 1 {
				t.Fatal("a call was refused")
			}
		}
	})
}
