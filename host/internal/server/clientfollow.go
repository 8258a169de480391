package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"wasmhost/host/event"
)

// patience is how long Follow tries to come back to a server that is gone.
const patience = time.Minute

// Follow tells the events of a run whose Seq is more than after, as they happen,
// and returns nil when the run has ended. When the connection breaks it comes back
// and goes on where it was. An error of tell ends it.
func (c *Client) Follow(ctx context.Context, id string, after uint64, tell func(*event.Event) error) error {
	q, err := at("GET", "/v1/runs/%s/events", id)
	if err != nil {
		return err
	}
	f := &following{client: c, ask: q, at: after, tell: tell}
	var since time.Time // when it was last lost
	for attempt := 0; ; {
		began := f.connected
		done, err := f.once(ctx)
		switch {
		case done || err != nil && !f.again(err):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case f.connected > began: // it was there, and went
			attempt, since = 0, time.Now()
		case f.connected == 0: // it was never there
			return err
		case time.Since(since) > patience:
			return err
		default:
			attempt++
		}
		pause := time.NewTimer(retryPause(attempt))
		select {
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		case <-pause.C:
		}
	}
}

// following is a run that is followed, over as many connections as it takes.
type following struct {
	client    *Client
	ask       ask
	at        uint64
	tell      func(*event.Event) error
	connected int
}

// again reports whether an error may be gone at the next attempt.
func (f *following) again(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var e *event.Error
	if !errors.As(err, &e) {
		return true
	}
	switch e.Code {
	case "unreachable", "stopping", "busy_server", "too_many_streams", "deadline", "journal", "closed":
		return true
	}
	return false
}

// once follows over one connection. done is true at the end of the run.
func (f *following) once(ctx context.Context) (done bool, err error) {
	f.ask.last = strconv.FormatUint(f.at, 10)
	answer, err := f.client.send(ctx, f.ask)
	if err != nil {
		return false, err
	}
	defer func() { _ = answer.Body.Close() }()
	f.connected++
	if answer.StatusCode == http.StatusNoContent {
		return true, nil
	}
	if !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		return true, refusal("bad_answer", fmt.Sprintf("%s answered something else than a stream of events", f.client.base))
	}
	in := bufio.NewReader(answer.Body)
	for {
		kind, data, err := readMessage(in)
		if err != nil {
			if ctx.Err() != nil {
				return true, ctx.Err()
			}
			return false, nil // cut off: come back
		}
		switch {
		case kind == "end":
			return true, nil
		case len(data) == 0:
			continue
		}
		var e event.Event
		if err := json.Unmarshal(data, &e); err != nil {
			return true, refusal("bad_answer", "the server sent an event that cannot be read: "+err.Error())
		}
		if e.Seq <= f.at {
			continue // told before the connection broke
		}
		if err := f.tell(&e); err != nil {
			return true, err
		}
		f.at = e.Seq
	}
}

// mostMessage bounds one message of a stream.
const mostMessage = 256 << 20

// readMessage reads one message of a stream of server-sent events.
func readMessage(in *bufio.Reader) (kind string, data []byte, err error) {
	for size := 0; ; {
		line, err := in.ReadSlice('\n')
		var long []byte
		for errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, line...)
			if len(long) > mostMessage {
				return "", nil, refusal("bad_answer", "the server sent a message without an end")
			}
			line, err = in.ReadSlice('\n')
		}
		if err != nil {
			return "", nil, err
		}
		if long != nil {
			line = append(long, line...)
		}
		if size += len(line); size > mostMessage {
			return "", nil, refusal("bad_answer", "the server sent a message without an end")
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return kind, data, nil
		}
		name, text, _ := bytes.Cut(line, []byte(":"))
		text = bytes.TrimPrefix(text, []byte(" "))
		switch string(name) {
		case "event":
			kind = string(text)
		case "data":
			if data != nil {
				data = append(data, '\n')
			}
			data = append(data, text...)
		}
	}
}
