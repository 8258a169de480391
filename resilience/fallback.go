package resilience

import (
	"context"
	"runtime/debug"
)

// Fallback asks answerers in order until one answers: who is its index, errs are
// the failures on the way, oldest first. When none answers, who is -1 and err is
// the last failure. Nobody further is asked once ctx has ended, nor after a
// failure for which stop says true (nil: never). A panic of an answerer is its
// failure.
func Fallback[R any](ctx context.Context, answerers []func(context.Context) (R, error), stop func(*Failure) bool) (r R, who int, errs []*Failure, err error) {
	for i, ask := range answerers {
		if ctx.Err() != nil {
			errs = append(errs, cancelled(ctx, false))
			break
		}
		v, err := askOne(ctx, ask)
		if err == nil {
			return v, i, errs, nil
		}
		f := DefaultClassifier.Failure(err)
		errs = append(errs, f)
		if ctx.Err() != nil || stop != nil && stop(f) {
			break
		}
	}
	if len(errs) == 0 {
		errs = append(errs, &Failure{Class: Permanent, Message: "nobody to ask: the chain of fallbacks is empty"})
	}
	return r, -1, errs, errs[len(errs)-1]
}

func askOne[R any](ctx context.Context, ask func(context.Context) (R, error)) (v R, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p, debug.Stack())
		}
	}()
	return ask(ctx)
}
