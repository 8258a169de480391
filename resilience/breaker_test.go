package resilience

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// play lets one outcome after the other happen: s success, f counted failure,
// . nothing; it stops at a refusal and returns how many were let through.
func play(b *Breaker, outcomes string) int {
	for i, o := range outcomes {
		p, refused := b.acquire()
		if refused != nil {
			return i
		}
		switch o {
		case 's':
			b.done(p, success, nil)
		case 'f':
			b.done(p, failure, transient("down"))
		default:
			b.done(p, nothing, nil)
		}
	}
	return len(outcomes)
}

func wantState(t *testing.T, b *Breaker, want State) {
	t.Helper()
	if got := b.State(); got != want {
		t.Errorf("the breaker is %s, want %s", got, want)
	}
}

func TestBreakerConsecutive(t *testing.T) {
	for outcomes, want := range map[string]State{
		"ffff":        Closed,
		"fffff":       Open,
		"ffffsffff":   Closed,
		"ffffsfffff":  Open,
		"ff..f..ff":   Open, // what counts as nothing does not break the row
		"ffff....":    Closed,
		"sssssssssss": Closed,
	} {
		b := NewBreaker("b", DefaultBreaker(), NewManualClock(epoch))
		play(b, outcomes)
		if got := b.State(); got != want {
			t.Errorf("%s: %s, want %s", outcomes, got, want)
		}
	}
}

func TestBreakerRefusal(t *testing.T) {
	clock := NewManualClock(epoch)
	b := NewBreaker("openai", DefaultBreaker(), clock)
	play(b, "fffff")
	clock.Advance(20 * time.Second)
	_, f := b.acquire()
	wantFailure(t, f, CodeBreakerOpen, Transient)
	if f.RetryAfter != 40*time.Second {
		t.Errorf("retry after %v, want 40s", f.RetryAfter)
	}
	if want := `breaker_open: breaker "openai" is open, next probe in 40s; last error: down`; f.Error() != want {
		t.Errorf("got  %s\nwant %s", f, want)
	}
	var cause *Failure
	if !errors.As(f.Cause, &cause) || cause.Message != "down" {
		t.Errorf("the cause is %v", f.Cause)
	}
	clock.Advance(213706104 * time.Nanosecond)
	if _, f := b.acquire(); !strings.Contains(f.Message, "next probe in 39.786s") || f.RetryAfter != 39786293896*time.Nanosecond {
		t.Errorf("a while later: %s, retry after %v", f.Message, f.RetryAfter)
	}
	clock.Advance(40 * time.Second)
	if _, f := b.acquire(); f != nil {
		t.Fatalf("the probe was refused: %v", f)
	}
	_, f = b.acquire()
	wantFailure(t, f, CodeBreakerOpen, Transient)
	if !strings.Contains(f.Message, "half open") {
		t.Errorf("got %q", f.Message)
	}
}

func TestBreakerWindow(t *testing.T) {
	cfg := BreakerConfig{FailureThreshold: 3, Window: time.Minute}
	t.Run("old failures are forgotten", func(t *testing.T) {
		clock := NewManualClock(epoch)
		b := NewBreaker("b", cfg, clock)
		for range 10 {
			play(b, "f")
			clock.Advance(31 * time.Second)
		}
		wantState(t, b, Closed)
	})
	t.Run("an age of exactly the window counts", func(t *testing.T) {
		clock := NewManualClock(epoch)
		b := NewBreaker("b", cfg, clock)
		play(b, "f")
		clock.Advance(time.Minute)
		play(b, "fsf") // successes do not matter
		wantState(t, b, Open)
	})
	t.Run("a nanosecond older does not", func(t *testing.T) {
		clock := NewManualClock(epoch)
		b := NewBreaker("b", cfg, clock)
		play(b, "f")
		clock.Advance(time.Minute + 1)
		play(b, "fsf")
		wantState(t, b, Closed)
	})
}

func TestBreakerRate(t *testing.T) {
	cfg := BreakerConfig{FailureRate: 0.5, Window: time.Minute, MinCalls: 10}
	for outcomes, want := range map[string]State{
		"fffffffff":      Closed, // too few calls to tell
		"ffffffffff":     Open,
		"sssssfffff":     Open,
		"ssssssffff":     Closed,
		"ssssssfffff":    Closed, // 5 of 11
		"sssss....fffff": Open,
		"fffffssss.":     Closed,
	} {
		b := NewBreaker("b", cfg, NewManualClock(epoch))
		play(b, outcomes)
		if got := b.State(); got != want {
			t.Errorf("%s: %s, want %s", outcomes, got, want)
		}
	}
	t.Run("a tenth is a tenth", func(t *testing.T) {
		b := NewBreaker("b", BreakerConfig{FailureRate: 0.1, MinCalls: 30}, NewManualClock(epoch))
		play(b, strings.Repeat("s", 27)+"fff") // 0.1 * 30 is more than 3 in floating point
		wantState(t, b, Open)
	})
	t.Run("old calls are forgotten", func(t *testing.T) {
		clock := NewManualClock(epoch)
		b := NewBreaker("b", cfg, clock)
		play(b, "fffff")
		clock.Advance(time.Minute + 1)
		play(b, "sssss")
		wantState(t, b, Closed)
	})
	t.Run("memory is bounded", func(t *testing.T) {
		clock := NewManualClock(epoch)
		b := NewBreaker("b", cfg, clock)
		for range 100_000 {
			play(b, "s")
			clock.Advance(time.Millisecond)
		}
		if n := len(b.window.slots); n > windowSlots+1 {
			t.Errorf("%d slots", n)
		}
		ok, _ := b.window.sum(b.time.now())
		if ok < 59_500 || ok > 60_001 {
			t.Errorf("%d calls in the last minute, want 60,000", ok)
		}
	})
}

func TestBreakerHalfOpen(t *testing.T) {
	halfOpen := func(cfg BreakerConfig) (*Breaker, *ManualClock) {
		clock := NewManualClock(epoch)
		b := NewBreaker("b", cfg, clock)
		b.Open()
		clock.Advance(time.Minute)
		return b, clock
	}
	t.Run("one success closes, the counts begin anew", func(t *testing.T) {
		b, _ := halfOpen(BreakerConfig{})
		wantState(t, b, HalfOpen) // without any call: looking is enough
		play(b, "sffff")
		wantState(t, b, Closed)
	})
	t.Run("one failure opens for a full time again", func(t *testing.T) {
		b, clock := halfOpen(BreakerConfig{})
		play(b, "f")
		clock.Advance(time.Minute - 1)
		wantState(t, b, Open)
		clock.Advance(1)
		wantState(t, b, HalfOpen)
	})
	t.Run("what counts as nothing gives the permit back", func(t *testing.T) {
		b, _ := halfOpen(BreakerConfig{})
		if n := play(b, "....."); n != 5 {
			t.Errorf("%d were let through", n)
		}
		wantState(t, b, HalfOpen)
	})
	t.Run("three successes, two at once", func(t *testing.T) {
		b, _ := halfOpen(BreakerConfig{SuccessThreshold: 3, HalfOpenMax: 2})
		one, _ := b.acquire()
		two, _ := b.acquire()
		if _, f := b.acquire(); f == nil {
			t.Error("a third probe beside two")
		}
		b.done(one, success, nil)
		b.done(two, success, nil)
		wantState(t, b, HalfOpen)
		play(b, "s")
		wantState(t, b, Closed)
	})
}

// Calls that were let through in an earlier period change nothing when they come
// back, whatever they bring.
func TestBreakerStaleOutcomes(t *testing.T) {
	for _, o := range []outcome{nothing, success, failure} {
		clock := NewManualClock(epoch)
		b := NewBreaker("b", DefaultBreaker(), clock)
		late, _ := b.acquire()
		play(b, "fffff")
		b.done(late, o, transient("late"))
		wantState(t, b, Open)

		late2 := late
		clock.Advance(time.Minute)
		probe, f := b.acquire()
		if f != nil {
			t.Fatal(f)
		}
		b.done(late2, o, transient("late"))
		wantState(t, b, HalfOpen)
		if _, f := b.acquire(); f == nil {
			t.Error("a late outcome gave back the permit of the probe")
		}
		b.done(probe, success, nil)
		wantState(t, b, Closed)

		b.Reset()
		old, _ := b.acquire()
		b.Reset()
		b.done(old, failure, transient("before the reset"))
		if n := b.Snapshot().Failures; n != 0 {
			t.Errorf("%d failures after a reset", n)
		}
	}
}

func TestBreakerOpenAndReset(t *testing.T) {
	clock := NewManualClock(epoch)
	b := NewBreaker("b", DefaultBreaker(), clock)
	b.Open()
	clock.Advance(30 * time.Second)
	b.Open() // once more: a full minute from now
	clock.Advance(59 * time.Second)
	wantState(t, b, Open)
	b.Reset()
	wantState(t, b, Closed)
	if s := b.Snapshot(); s.LastFailure != nil || s.Remaining != 0 {
		t.Errorf("left over: %+v", s)
	}
}

// A wall clock that is set back makes no breaker stay open for longer than its
// recovery timeout of passing time.
func TestBreakerClockSetBack(t *testing.T) {
	clock := NewManualClock(epoch)
	b := NewBreaker("b", DefaultBreaker(), clock)
	b.Open()
	clock.Advance(30 * time.Second)
	clock.Set(epoch.Add(-24 * time.Hour))
	wantState(t, b, Open)
	clock.Advance(29 * time.Second)
	if _, f := b.acquire(); f == nil || f.RetryAfter > 31*time.Second {
		t.Errorf("got %v", f)
	}
	clock.Advance(31 * time.Second)
	wantState(t, b, HalfOpen)
}

func TestBreakerOnChange(t *testing.T) {
	clock := NewManualClock(epoch)
	b := NewBreaker("b", DefaultBreaker(), clock)
	var got []string
	b.OnChange(func(from, to State, s BreakerSnapshot) {
		got = append(got, fmt.Sprintf("%s>%s(%s %v)", from, to, b.State(), s.Remaining)) // may use the breaker
	})
	play(b, "fffff")
	clock.Advance(time.Minute)
	play(b, "f")
	clock.Advance(time.Minute)
	play(b, "s")
	b.Reset() // no change, nothing told
	want := "closed>open(open 1m0s) open>half_open(half_open 0s) half_open>open(open 1m0s) open>half_open(half_open 0s) half_open>closed(closed 0s)"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

func TestBreakerListenerThatPanics(t *testing.T) {
	b := NewBreaker("b", DefaultBreaker(), NewManualClock(epoch))
	told := 0
	b.OnChange(func(from, to State, _ BreakerSnapshot) {
		if told++; told == 1 {
			panic("listener")
		}
	})
	func() {
		defer func() { _ = recover() }()
		b.Open()
	}()
	b.Reset()
	if told != 2 {
		t.Errorf("told %d times, want 2", told)
	}
}

// A random history against the definition, written down without any cleverness.
func TestBreakerAgainstItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := BreakerConfig{
			FailureThreshold: rapid.IntRange(1, 4).Draw(t, "threshold"),
			RecoveryTimeout:  10 * time.Second,
			SuccessThreshold: rapid.IntRange(1, 3).Draw(t, "successes"),
			HalfOpenMax:      rapid.IntRange(1, 3).Draw(t, "probes"),
		}
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 1:
			cfg.Window = 30 * time.Second
		case 2:
			cfg.Window, cfg.FailureRate, cfg.MinCalls = 30*time.Second, 0.5, 4
		}
		clock := NewManualClock(epoch)
		b, d := NewBreaker("b", cfg, clock), &definition{cfg: cfg, state: Closed}
		type flight struct {
			p permit
			q int
		}
		var flights []flight
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				step := time.Duration(rapid.IntRange(1, 12).Draw(t, "seconds")) * time.Second
				clock.Advance(step)
				d.now += step
			case 1, 2:
				p, f := b.acquire()
				q, ok := d.acquire()
				if (f == nil) != ok {
					t.Fatalf("let through: %v, want %v", f == nil, ok)
				}
				if ok {
					flights = append(flights, flight{p, q})
				}
			default:
				if len(flights) == 0 {
					continue
				}
				i := rapid.IntRange(0, len(flights)-1).Draw(t, "which")
				o := rapid.SampledFrom([]outcome{nothing, success, failure, failure}).Draw(t, "outcome")
				b.done(flights[i].p, o, transient("down"))
				d.done(flights[i].q, o)
				flights = append(flights[:i], flights[i+1:]...)
			}
			d.look()
			if got := b.State(); got != d.state {
				t.Fatalf("state %s, want %s", got, d.state)
			}
		}
	})
}

// definition is a breaker that keeps everything for ever.
type definition struct {
	cfg      BreakerConfig
	now      time.Duration
	state    State
	since    time.Duration
	period   int
	probes   int
	outcomes []struct {
		at time.Duration
		o  outcome
	}
}

func (d *definition) enter(s State) {
	d.state, d.since, d.probes, d.outcomes = s, d.now, 0, nil
	d.period++
}

func (d *definition) look() {
	if d.state == Open && d.now-d.since >= d.cfg.RecoveryTimeout {
		d.enter(HalfOpen)
	}
}

func (d *definition) acquire() (int, bool) {
	d.look()
	if d.state == Open || d.state == HalfOpen && d.probes == d.cfg.HalfOpenMax {
		return 0, false
	}
	d.probes++
	return d.period, true
}

func (d *definition) done(period int, o outcome) {
	d.look()
	if period != d.period {
		return
	}
	d.probes--
	if o == nothing {
		return
	}
	d.outcomes = append(d.outcomes, struct {
		at time.Duration
		o  outcome
	}{d.now, o})
	row, ok, failed := 0, 0, 0
	for _, e := range d.outcomes {
		recent := d.cfg.Window == 0 || d.state == HalfOpen || d.now-e.at <= d.cfg.Window
		if e.o == success {
			row = 0
			if recent {
				ok++
			}
		} else {
			row++
			if recent {
				failed++
			}
		}
	}
	switch {
	case d.state == HalfOpen && o == failure:
		d.enter(Open)
	case d.state == HalfOpen:
		if ok >= d.cfg.SuccessThreshold {
			d.enter(Closed)
		}
	case d.cfg.FailureRate > 0:
		if ok+failed >= d.cfg.MinCalls && 2*failed >= ok+failed {
			d.enter(Open)
		}
	case d.cfg.Window > 0 && o == failure && failed >= d.cfg.FailureThreshold, d.cfg.Window == 0 && row >= d.cfg.FailureThreshold:
		d.enter(Open)
	}
}
