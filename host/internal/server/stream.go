package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"wasmhost/host/event"
)

const (
	// streamPace is how often a stream sends at most. What happens between is sent
	// together, so that a busy run with many watchers is not a write for each event
	// and watcher. The first event after a pause, and the last, are sent at once.
	streamPace = 50 * time.Millisecond
	// streamCheck is how often a stream looks whether its caller still may.
	streamCheck = 2 * time.Second
	catchUp     = 500 // events a page, of what is read from the journal
)

// streamEvents sends a run's events as they happen (server-sent events): id is
// the event's seq, event its type, data the event. Last-Event-ID, or after, says
// what the caller has. After the end of the run comes an event "end" and the
// stream ends; a caller who comes back then gets 204, which tells browsers to
// leave it.
func streamEvents(c *call) error {
	id, err := c.id("id")
	if err != nil {
		return err
	}
	given := c.r.Header.Get("Last-Event-ID")
	if given == "" {
		given = c.r.URL.Query().Get("after")
	}
	after, err := parseSeq(given)
	if err != nil {
		return err
	}
	ctx := c.r.Context()
	info, err := c.cfg.Service.RunInfo(ctx, id) // id may be the beginning of one
	if err != nil {
		return err
	}
	c.change.Target = info.ID
	leave, err := c.hub.admit(c.who)
	if err != nil {
		return err
	}
	defer leave()
	if watching := c.cfg.Watching; watching != nil {
		watching(1)
		defer watching(-1)
	}
	from, err := c.known(ctx, info.ID, after)
	if err != nil {
		return err
	}
	if info.Status.Ended() && after > 0 {
		rest, err := c.cfg.Service.RunEvents(ctx, info.ID, after, 1)
		if err != nil {
			return err
		}
		if len(rest) == 0 {
			c.w.WriteHeader(http.StatusNoContent)
			return nil
		}
	}
	t, quit, err := c.hub.join(info.ID, from)
	if err != nil {
		return err
	}
	defer quit()
	st := &stream{call: c, topic: t, run: info.ID, at: after}
	return st.send(ctx)
}

// known is the number to follow a run from, for all who will watch it: the one
// that the caller says it has, unless the run has no such event. A wrong number
// then is that caller's own loss.
func (c *call) known(ctx context.Context, id string, after uint64) (uint64, error) {
	if after == 0 {
		return 0, nil
	}
	there, err := c.cfg.Service.RunEvents(ctx, id, after-1, 1)
	if err != nil || len(there) == 0 {
		return 0, err
	}
	return after, nil
}

// stream is one watcher of a run.
type stream struct {
	*call
	topic *topic
	run   string
	at    uint64 // all up to here is sent
	last  time.Time
}

func (st *stream) send(ctx context.Context) error {
	h := st.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // for a proxy in front
	st.w.WriteHeader(http.StatusOK)
	if err := st.write([]byte("retry: 1000\n\n")); err != nil {
		return nil
	}
	check := time.NewTicker(min(streamCheck, st.limits.Heartbeat))
	defer check.Stop()
	st.last = time.Time{}
	quiet := time.Now()
	for {
		v := st.topic.look(st.at)
		if v.behind {
			if err := st.fromJournal(ctx, v.floor); err != nil {
				return st.cut("what was missed cannot be read")
			}
			quiet = time.Now()
			continue
		}
		if len(v.frames) > 0 {
			if !st.pace(ctx, v) {
				return st.cut("the server is stopping")
			}
			v = st.topic.look(st.at)
			if err := st.frames(v.frames); err != nil {
				return nil // the caller is gone, or does not read
			}
			quiet = time.Now()
			continue
		}
		if v.ended {
			if v.err != nil {
				return st.cut("the run cannot be followed any more; come back")
			}
			return st.end(ctx)
		}
		select {
		case <-v.news:
		case <-ctx.Done():
			return nil
		case <-st.stopCtx.Done():
			return st.cut("the server is stopping")
		case <-check.C:
			if !st.still(st.who) {
				return st.cut("the token was taken back")
			}
			if time.Since(quiet) < st.limits.Heartbeat {
				continue
			}
			quiet = time.Now()
			if err := st.write([]byte(": still here\n\n")); err != nil {
				return nil
			}
		}
	}
}

// pace holds frames back until it is their time. False: the server stops.
func (st *stream) pace(ctx context.Context, v view) bool {
	left := streamPace - time.Since(st.last)
	if left <= 0 {
		return true
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-v.urgent:
	case <-ctx.Done():
	case <-st.stopCtx.Done():
		return false
	}
	return true
}

func (st *stream) frames(all []frame) error {
	for _, f := range all {
		if _, err := st.w.Write(f.text); err != nil {
			return err
		}
		st.at = f.seq
	}
	st.last = time.Now()
	return st.w.flush()
}

// fromJournal sends what the topic does not keep any more, up to floor.
func (st *stream) fromJournal(ctx context.Context, floor uint64) error {
	for st.at < floor {
		page, err := st.cfg.Service.RunEvents(ctx, st.run, st.at, catchUp)
		if err != nil {
			return err
		}
		if len(page) == 0 { // never recorded, and gone
			st.at = floor
			return nil
		}
		all := make([]frame, 0, len(page))
		for _, e := range page {
			f, err := frameOf(e)
			if err != nil {
				return err
			}
			all = append(all, f)
		}
		if err := st.frames(all); err != nil {
			return err
		}
		if !st.still(st.who) || st.stopped() {
			return errNobody
		}
	}
	return nil
}

// end says that the run has ended and how.
func (st *stream) end(ctx context.Context) error {
	status := event.Status("")
	if info, err := st.cfg.Service.RunInfo(ctx, st.run); err == nil {
		status = info.Status
	}
	data, _ := json.Marshal(map[string]event.Status{"status": status})
	_ = st.write(fmt.Appendf(nil, "event: end\ndata: %s\n\n", data))
	return nil
}

// cut ends the stream before the run has: the caller may come back.
func (st *stream) cut(why string) error {
	_ = st.write([]byte(": " + why + "\n\n"))
	return nil
}

func (st *stream) write(text []byte) error {
	if _, err := st.w.Write(text); err != nil {
		return err
	}
	return st.w.flush()
}
