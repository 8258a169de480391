package server

import (
	"net/http"
	"time"
)

// responder writes an answer in pieces, each with time of its own: a caller that
// takes nothing is given up, one that is merely slow is not.
type responder struct {
	http.ResponseWriter
	control *http.ResponseController
	each    time.Duration
	status  int
	bytes   int64
	before  func() // called once, when the status is known and nothing is sent; or nil
}

const piece = 64 << 10

func newResponder(w http.ResponseWriter, each time.Duration) *responder {
	return &responder{ResponseWriter: w, control: http.NewResponseController(w), each: each}
}

// Unwrap lets http.ResponseController through.
func (w *responder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *responder) WriteHeader(status int) {
	w.begin(status)
	w.ResponseWriter.WriteHeader(status)
}

// begin is before the first byte of an answer.
func (w *responder) begin(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	if w.before != nil {
		w.before()
	}
}

func (w *responder) Write(b []byte) (int, error) {
	w.begin(http.StatusOK)
	done := 0
	for {
		n := min(len(b)-done, piece)
		w.extend()
		n, err := w.ResponseWriter.Write(b[done : done+n])
		done += n
		w.bytes += int64(n)
		if err != nil || done == len(b) {
			return done, err
		}
	}
}

// flush sends what was written.
func (w *responder) flush() error {
	w.extend()
	return w.control.Flush()
}

// Flush is flush for handlers that know http.Flusher.
func (w *responder) Flush() { _ = w.flush() }

// extend gives the next piece its time. A recorder of tests has no deadlines.
func (w *responder) extend() { _ = w.control.SetWriteDeadline(time.Now().Add(w.each)) }
