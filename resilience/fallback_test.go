package resilience

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestFallback(t *testing.T) {
	say := func(v string, err error) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return v, err }
	}
	for name, c := range map[string]struct {
		chain []func(context.Context) (string, error)
		stop  func(*Failure) bool
		v     string
		who   int
		errs  string
	}{
		"the first answers":       {[]func(context.Context) (string, error){say("high", nil), say("basic", nil)}, nil, "high", 0, "[]"},
		"every error is kept":     {[]func(context.Context) (string, error){say("", transient("a")), say("", errors.New("not found")), say("e", nil)}, nil, "e", 2, "[a not found]"},
		"nobody answers":          {[]func(context.Context) (string, error){say("x", transient("a")), say("", permanent("b"))}, nil, "", -1, "[a b]"},
		"stop":                    {[]func(context.Context) (string, error){say("", permanent("a")), say("b", nil)}, func(f *Failure) bool { return f.Class == Permanent }, "", -1, "[a]"},
		"a panic is a failure":    {[]func(context.Context) (string, error){func(context.Context) (string, error) { panic("boom") }, say("b", nil)}, nil, "b", 1, "[panic: the call panicked: boom]"},
		"nobody is there to ask":  {nil, nil, "", -1, "[nobody to ask: the chain of fallbacks is empty]"},
		"an answer of zero value": {[]func(context.Context) (string, error){say("", nil)}, nil, "", 0, "[]"},
	} {
		v, who, errs, err := Fallback(t.Context(), c.chain, c.stop)
		if v != c.v || who != c.who || fmt.Sprint(errs) != c.errs {
			t.Errorf("%s: %q by %d, %v", name, v, who, errs)
		}
		if (err == nil) != (who >= 0) || who < 0 && err != error(errs[len(errs)-1]) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestFallbackAfterCancel(t *testing.T) {
	stop := errors.New("ctrl-C")
	ctx, cancel := context.WithCancelCause(t.Context())
	asked := 0
	chain := []func(context.Context) (int, error){
		func(context.Context) (int, error) { asked++; cancel(stop); return 0, transient("down") },
		func(context.Context) (int, error) { asked++; return 1, nil },
	}
	if _, who, errs, err := Fallback(ctx, chain, nil); who != -1 || asked != 1 || len(errs) != 1 || err == nil {
		t.Errorf("%d were asked: %d, %v, %v", asked, who, errs, err)
	}
	_, who, errs, err := Fallback(ctx, chain, nil)
	if who != -1 || asked != 1 || len(errs) != 1 || !errors.Is(err, ErrCancelled) || !errors.Is(err, stop) {
		t.Errorf("%d were asked: %d, %v, %v", asked, who, errs, err)
	}
}
