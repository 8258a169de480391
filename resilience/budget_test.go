package resilience

import (
	"context"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestBudgetArithmetic(t *testing.T) {
	b := NewBudget(0.2)
	spend := func() (n int) {
		for b.withdraw() {
			n++
		}
		return n
	}
	if n := spend(); n != 10 {
		t.Errorf("a full budget allowed %d retries, want 10", n)
	}
	for range 4 {
		b.deposit()
	}
	if n := spend(); n != 0 {
		t.Errorf("four times 0.2 allowed %d retries, want 0", n)
	}
	b.deposit()
	if n := spend(); n != 1 {
		t.Errorf("five times 0.2 allowed %d retries, want 1: %v tokens left", n, b.Tokens())
	}
	for range 1000 {
		b.deposit()
	}
	if got := b.Tokens(); got != 10 {
		t.Errorf("the bucket holds %v, want 10", got)
	}
	if tenth := NewBudget(0.1); tenth.gain != token/10 {
		t.Errorf("0.1 gains %d millionths", tenth.gain)
	}
}

// However calls and retries are mixed, retries never exceed 10 + ratio * calls.
func TestBudgetBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ratio := float64(rapid.IntRange(0, 100).Draw(t, "percent")) / 100
		b := NewBudget(ratio)
		calls, retries := 0, 0
		for _, call := range rapid.SliceOf(rapid.Bool()).Draw(t, "steps") {
			if call {
				b.deposit()
				calls++
			} else if b.withdraw() {
				retries++
			}
		}
		if float64(retries) > 10+ratio*float64(calls)+1e-6 {
			t.Fatalf("%d retries for %d calls at %v", retries, calls, ratio)
		}
	})
}

func TestBudgetStopsRetries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		retry := DefaultRetry()
		retry.Budget = 0.5
		s := NewStack[int](Policy{Retry: retry}, nil)
		calls := 0
		down := func(context.Context, Attempt) (int, error) {
			calls++
			return 0, transient("down")
		}
		var err error
		for range 20 {
			_, err = s.Do(t.Context(), Options{}, down)
		}
		// 20 first calls, 10 tokens at the start, some of the 20 * 0.5 = 10 gained
		// were lost while the bucket was full.
		if calls < 20+10 || calls > 20+10+10 {
			t.Errorf("%d calls for 20 Dos", calls)
		}
		f := wantFailure(t, err, "", Transient)
		if want := "down (not retried: the retry budget is used up)"; f.Message != want {
			t.Errorf("got %q, want %q", f.Message, want)
		}
	})
}

// Two stacks with one budget share its tokens; a refusal by the breaker gains
// none, for no attempt was made.
func TestBudgetIsShared(t *testing.T) {
	bubble(t, func(t *testing.T) {
		budget := NewBudget(0)
		retry := Retry{MaxRetries: 6}
		one := NewStack[int](Policy{Retry: retry, Budget: budget}, nil)
		two := NewStack[int](Policy{Retry: retry, Budget: budget}, nil)
		_, _ = one.Do(t.Context(), Options{}, always(transient("down")))
		_, err := two.Do(t.Context(), Options{}, always(transient("down")))
		if budget.Tokens() != 0 || !strings.Contains(err.Error(), "budget") {
			t.Errorf("%v tokens left, %v", budget.Tokens(), err)
		}
		full := NewBudget(1)
		full.withdraw()
		breaker := NewBreaker("b", DefaultBreaker(), nil)
		breaker.Open()
		refused := NewStack[int](Policy{Budget: full, Breaker: breaker, Retry: retry}, nil)
		_, _ = refused.Do(t.Context(), Options{}, always(nil))
		if full.Tokens() != 9 {
			t.Errorf("a refusal changed the budget to %v", full.Tokens())
		}
	})
}
