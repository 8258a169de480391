package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// silences are how long a server may say nothing before its client gives up.
// They bound no whole exchange: an answer or a stream that goes on may go on.
type silences struct {
	answer  time.Duration // until the answer begins
	long    time.Duration // the same, of what may take minutes
	between time.Duration // between parts of an answer
}

// patient is longer than a server of ours takes: it reads a body, waits for a
// place at work and answers within 70 s (a module: within 15 min), and an event
// stream has a sign of life every 15 s. See Limits.
var patient = silences{answer: 90 * time.Second, long: 16 * time.Minute, between: time.Minute}

// silence ends a request of which nothing was heard for so long.
type silence struct {
	ctx    context.Context // of the request
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// silentError is why a request was given up.
type silentError struct{ after time.Duration }

func (e *silentError) Error() string {
	return fmt.Sprintf("it took the request and then said nothing for %s; is it host serve that listens there, and does its machine still run?", e.after)
}

func newSilence(ctx context.Context, within time.Duration) *silence {
	s := &silence{}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	s.bound(within)
	return s
}

func (s *silence) bound(within time.Duration) {
	s.timer = time.AfterFunc(within, func() { s.cancel(&silentError{within}) })
}

func (s *silence) end() {
	s.timer.Stop()
	s.cancel(nil)
}

// heard is the body of an answer, of which parts have to come. Only waiting for
// one counts: who reads may take what time they like.
type heard struct {
	io.ReadCloser
	silence *silence
	each    time.Duration
}

func (s *silence) over(body io.ReadCloser, each time.Duration) io.ReadCloser {
	s.timer.Stop()
	return &heard{body, s, each}
}

func (a *heard) Read(p []byte) (int, error) {
	a.silence.bound(a.each)
	n, err := a.ReadCloser.Read(p)
	a.silence.timer.Stop()
	var silent *silentError
	if err != nil && errors.As(context.Cause(a.silence.ctx), &silent) {
		err = silent
	}
	return n, err
}

func (a *heard) Close() error {
	a.silence.end()
	return a.ReadCloser.Close()
}
