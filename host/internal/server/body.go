package server

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"time"
)

// readBody takes a body in whole. Memory is taken as bytes come, not as they are
// announced, so a slow caller holds what it sent and no more. done gives the
// memory back.
func (s *Server) readBody(w *responder, r *http.Request, limit int64, b *budget, within time.Duration) (body []byte, done func(), err error) {
	held, from := int64(0), network(address(r))
	done = func() { b.give(from, held) }
	if r.ContentLength > limit {
		return nil, done, tooLarge(limit)
	}
	if r.Body == nil || r.Body == http.NoBody {
		return nil, done, nil
	}
	_ = w.control.SetReadDeadline(time.Now().Add(within))
	bounded := http.MaxBytesReader(w.ResponseWriter, r.Body, limit)
	first := int64(4 << 10)
	if r.ContentLength > 0 {
		first = min(r.ContentLength+1, 32<<10)
	}
	grow := func(to int64) bool {
		if !b.take(from, to-held) {
			return false
		}
		held = to
		bigger := make([]byte, len(body), to)
		copy(bigger, body)
		body = bigger
		return true
	}
	for {
		if len(body) == cap(body) {
			to := first
			if held > 0 {
				to = held * 2
			}
			if r.ContentLength >= 0 {
				to = min(to, r.ContentLength+1)
			}
			if !grow(max(to, held+512)) {
				return nil, done, &busy
			}
		}
		n, err := bounded.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		var large *http.MaxBytesError
		switch {
		case errors.Is(err, io.EOF):
			// The connection waits for the next request, or for the caller to go away,
			// from here on without a deadline.
			_ = w.control.SetReadDeadline(time.Time{})
			return body, done, nil
		case errors.As(err, &large):
			return nil, done, tooLarge(limit)
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, done, refusal("slow_request", fmt.Sprintf("the body did not come within %s", within))
		case err != nil:
			return nil, done, refusal("bad_request", "the body was cut off: "+err.Error())
		}
	}
}

var busy = *refusal("busy_server", "the server holds as many request bodies as it takes")

func tooLarge(limit int64) error {
	if limit == 0 {
		return refusal("body_too_large", "this request takes no body")
	}
	return refusal("body_too_large", fmt.Sprintf("the body is larger than %d bytes", limit))
}

// checkMedia refuses a body of another kind than the route takes.
func checkMedia(r *http.Request, kinds []string) error {
	if len(kinds) == 0 || r.ContentLength == 0 {
		return nil
	}
	given := r.Header.Get("Content-Type")
	if given == "" {
		return nil
	}
	kind, _, err := mime.ParseMediaType(given)
	for _, k := range kinds {
		if err == nil && kind == k {
			return nil
		}
	}
	return refusal("bad_media_type", fmt.Sprintf("the body is %q, and this takes %v", shorten(given), kinds))
}
