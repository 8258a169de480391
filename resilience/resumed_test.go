package resilience

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestResumedGoesOnInTheWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := NewStack[int](Policy{Retry: DefaultRetry()}, nil)
		seen := newTrace(RealClock())
		_, err := s.Do(t.Context(), Options{Observer: seen, FirstAttempt: 3, Random: func() float64 { return 0.5 },
			Resumed: &Resumed{Began: time.Now(), Retries: 2, Cause: transient("down"), Wait: 700 * time.Millisecond}}, always(transient("down")))
		wantFailure(t, err, "", Transient)
		// Two of three retries are used: the one that was waited for and one more.
		wantTrace(t, seen, `
			0s retry 3 in 700ms: transient//false
			700ms start 3 until never
			700ms end 3 transient//false after 0s
			700ms retry 4 in 4.2s: transient//false
			4.9s start 4 until never
			4.9s end 4 transient//false after 0s`)
	})
}

func TestResumedDeadline(t *testing.T) {
	for name, c := range map[string]struct {
		ago  time.Duration
		want time.Duration // when the call is cut
	}{
		"part of it is left":            {4 * time.Second, 6 * time.Second},
		"nothing is left":               {11 * time.Second, 0},
		"a clock that ran backwards":    {-time.Hour, 10 * time.Second},
		"the call had not been started": {0, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := NewStack[int](Policy{Deadline: 10 * time.Second, Retry: DefaultRetry()}, nil)
				start := time.Now()
				_, err := s.Do(t.Context(), Options{Resumed: &Resumed{Began: start.Add(-c.ago)}, Idempotent: true},
					func(ctx context.Context, _ Attempt) (int, error) {
						<-ctx.Done()
						return 0, ctx.Err()
					})
				if took := time.Since(start); took != c.want {
					t.Errorf("cut after %s, want %s", took, c.want)
				}
				wantFailure(t, err, CodeDeadline, Transient)
			})
		})
	}
}

func TestResumedWaitLongerThanTheDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := NewStack[int](Policy{Deadline: 10 * time.Second, Retry: DefaultRetry()}, nil)
		start := time.Now()
		_, err := s.Do(t.Context(), Options{Resumed: &Resumed{Began: start.Add(-8 * time.Second), Retries: 1,
			Cause: transient("down"), Wait: 3 * time.Second}}, always(errors.New("never called")))
		wantFailure(t, err, CodeDeadline, Transient)
		if took := time.Since(start); took != 0 {
			t.Errorf("waited %s for nothing", took)
		}
	})
}

func TestResumedWaitEndsWithTheCaller(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := NewStack[int](Policy{Retry: DefaultRetry()}, nil).Do(ctx, Options{Idempotent: true, Resumed: &Resumed{Retries: 1,
			Cause: &Failure{Class: Transient, Message: "down", OutcomeUnknown: true}, Wait: time.Minute}}, always(errors.New("never called")))
		wantFailure(t, err, CodeCancelled, Unknown)
		var f *Failure
		if !errors.As(err, &f) || !f.OutcomeUnknown {
			t.Errorf("what the last attempt did is still not known: %+v", f)
		}
	})
}
