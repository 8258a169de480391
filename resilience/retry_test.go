package resilience

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDelay(t *testing.T) {
	s := time.Second
	built := DefaultRetry()
	exponential, constant, decorrelated := built, built, built
	exponential.Backoff, constant.Backoff, decorrelated.Backoff = Exponential, Constant, Decorrelated
	for name, c := range map[string]struct {
		retry    Retry
		n        int
		previous time.Duration
		u        float64
		want     time.Duration
	}{
		"constant":                       {constant, 7, 0, 0.5, s},
		"exponential first":              {exponential, 0, 0, 0.5, s},
		"exponential third":              {exponential, 2, 0, 0.5, 4 * s},
		"exponential at the cap":         {exponential, 6, 0, 0.5, 60 * s},
		"exponential far beyond the cap": {exponential, math.MaxInt, 0, 0.5, 60 * s},
		"jittered adds":                  {built, 2, 0, 0.5, 4200 * time.Millisecond},
		"jittered at u = 0":              {built, 2, 0, 0, 4 * s},
		"jittered at the cap subtracts":  {built, 6, 0, 0.5, 57 * s},
		"jittered far beyond the cap":    {built, math.MaxInt, 0, 0.5, 57 * s},
		"jittered just below the cap":    {built.with(func(r *Retry) { r.MaxDelay = 4100 * time.Millisecond }), 2, 0, 0.5, 3800 * time.Millisecond},
		"decorrelated first":             {decorrelated, 0, 0, 0.5, 2 * s},
		"decorrelated later":             {decorrelated, 3, 9 * s, 0.5, 14 * s},
		"decorrelated at the cap":        {decorrelated, 3, 59 * s, 0.9, 60 * s},
		"decorrelated with a huge past":  {decorrelated, 3, math.MaxInt64, 0.999, 60 * s},
		"zero value":                     {Retry{}, 3, 0, 0.5, 0},
		"zero value, MaxInt":             {Retry{}, math.MaxInt, 0, 0.5, 0},
		"only a base: built-in the rest": {Retry{BaseDelay: s}, 20, 0, 0.5, 60 * s},
		"negative n":                     {exponential, -3, 0, 0, s},
		"multiplier below 1":             {exponential.with(func(r *Retry) { r.Multiplier = 0.5 }), 2, 0, 0, s / 4},
	} {
		if got := c.retry.Delay(c.n, c.previous, c.u); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func (r Retry) with(f func(*Retry)) Retry { f(&r); return r }

func genRetry() *rapid.Generator[Retry] {
	return rapid.Custom(func(t *rapid.T) Retry {
		return Retry{
			Backoff:     rapid.SampledFrom([]Backoff{Constant, Exponential, Jittered, Decorrelated, ""}).Draw(t, "backoff"),
			BaseDelay:   time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "base")),
			Multiplier:  rapid.Float64Range(0, math.MaxFloat64).Draw(t, "multiplier"),
			MaxDelay:    time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "max")),
			JitterRatio: rapid.Float64Range(0, 1).Draw(t, "ratio"),
		}
	})
}

// No n, no base and no past make a delay negative or longer than the cap.
func TestDelayNeverOverflows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRetry().Draw(t, "retry")
		n := rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(0, math.MaxInt)).Draw(t, "n")
		previous := time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "previous"))
		u := rapid.Float64Range(0, math.Nextafter(1, 0)).Draw(t, "u")
		limit := r.MaxDelay
		if limit == 0 {
			limit = DefaultMaxDelay
		}
		if r.Backoff == Constant {
			limit = r.BaseDelay
		}
		if got := r.Delay(n, previous, u); got < 0 || got > limit {
			t.Fatalf("%v is not between 0 and %v", got, limit)
		}
	})
}

// Delays do not shrink as attempts go on, where nothing is random.
func TestDelayGrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRetry().Draw(t, "retry")
		r.Backoff = rapid.SampledFrom([]Backoff{Constant, Exponential}).Draw(t, "kind")
		r.Multiplier = max(r.Multiplier, 1)
		n := rapid.IntRange(0, math.MaxInt-1).Draw(t, "n")
		if a, b := r.Delay(n, 0, 0), r.Delay(n+1, 0, 0); b < a {
			t.Fatalf("%v is followed by %v", a, b)
		}
	})
}

// A thousand clients at the cap do not come back together.
func TestJitterSpreadsAtTheCap(t *testing.T) {
	r := DefaultRetry()
	seen := map[time.Duration]bool{}
	for i := range 1000 {
		d := r.Delay(50, 0, float64(i)/1000)
		if d > r.MaxDelay || d < 54*time.Second {
			t.Fatalf("%v at the cap of %v", d, r.MaxDelay)
		}
		seen[d] = true
	}
	if len(seen) != 1000 {
		t.Errorf("1,000 random numbers gave %d delays", len(seen))
	}
}

func TestHint(t *testing.T) {
	for name, c := range map[string]struct {
		limit, asked, want time.Duration
		ok                 bool
	}{
		"none":              {time.Minute, 0, 0, false},
		"obeyed":            {time.Minute, 7 * time.Second, 7 * time.Second, true},
		"cut to the limit":  {time.Minute, time.Hour, time.Minute, true},
		"built-in limit":    {0, time.Hour, DefaultRetryAfter, true},
		"hints are ignored": {-1, time.Second, 0, false},
		"negative is none":  {time.Minute, -time.Second, 0, false},
	} {
		r := Retry{RetryAfter: c.limit}
		if got, ok := r.Hint(&Failure{RetryAfter: c.asked}); got != c.want || ok != c.ok {
			t.Errorf("%s: got %v %v, want %v %v", name, got, ok, c.want, c.ok)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []Class{Transient, Permanent, System, Unknown} {
		if got, err := ParseClass(string(c)); got != c || err != nil {
			t.Errorf("%s: %v %v", c, got, err)
		}
	}
	for _, b := range []Backoff{Constant, Exponential, Jittered, Decorrelated} {
		if got, err := ParseBackoff(string(b)); got != b || err != nil {
			t.Errorf("%s: %v %v", b, got, err)
		}
	}
	_, err := ParseClass("Transient")
	if want := `unknown class "Transient": it is one of transient, permanent, system and unknown`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = ParseBackoff("linear")
	if want := `unknown backoff "linear": it is one of constant, exponential, jittered and decorrelated`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
