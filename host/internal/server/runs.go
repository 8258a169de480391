package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"wasmhost/host/event"
)

// RunAnswer is a run that was started, and what it came to when the caller waited
// for that and it has ended.
type RunAnswer struct {
	event.RunInfo
	Result *event.Result `json:"result,omitempty"`
}

// RunList is a page of runs, the newest first. Next is the after of the next page.
type RunList struct {
	Runs   []event.RunInfo      `json:"runs"`
	Next   string               `json:"next,omitempty"`
	Counts map[event.Status]int `json:"counts,omitempty"`
}

func startRun(c *call) error {
	workflow, err := c.id("name")
	if err != nil {
		return err
	}
	ask := StartRequest{Workflow: workflow}
	var wait time.Duration
	err = decodeObject(c.body,
		value("input", &ask.Input, &ask.HasInput),
		into("run_id", &ask.RunID),
		field{"wait", func(raw json.RawMessage) (err error) { wait, err = parseWait(raw, c.limits.WaitTime); return err }})
	if err != nil {
		return err
	}
	return c.start(ask, wait)
}

// parseWait reads how long a caller wants to wait: true is as long as may be.
func parseWait(raw json.RawMessage, most time.Duration) (time.Duration, error) {
	switch string(raw) {
	case "true":
		return most, nil
	case "false":
		return 0, nil
	}
	var text string
	if json.Unmarshal(raw, &text) != nil || text == "" {
		return 0, errors.New(`true, false or a duration such as "10s"`)
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf(`%q is no duration such as "10s"`, shorten(text))
	}
	if d > most {
		return 0, fmt.Errorf("%s is longer than %s; follow the run's events instead", d, most)
	}
	return d, nil
}

// start starts a run and answers with it; one that was not known before is 201.
func (c *call) start(ask StartRequest, wait time.Duration) error {
	info, isNew, err := c.begin(ask)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if isNew {
		status = http.StatusCreated
	}
	answer := RunAnswer{RunInfo: *info}
	if wait > 0 {
		c.release()
		now, result := c.await(info.ID, wait)
		if now != nil {
			answer.RunInfo = *now
		}
		if answer.Result = result; result == nil {
			status = http.StatusAccepted
		}
	}
	return c.answer(status, answer)
}

// begin starts a run, and says where it is; isNew is false when the run was there.
func (c *call) begin(ask StartRequest) (info *event.RunInfo, isNew bool, err error) {
	if ask.RunID != "" && !isID(ask.RunID) {
		return nil, false, refusal("bad_run_id", fmt.Sprintf("run id %q: use 1 to 128 of the characters A-Z a-z 0-9 . _ -, and not dots alone", shorten(ask.RunID)))
	}
	c.change.Target = ask.Workflow
	if ask.RunID != "" {
		c.change.Target = ask.RunID
	}
	if c.stopped() {
		return nil, false, refusal("stopping", "the server is stopping and takes no new runs")
	}
	if info, isNew, err = c.cfg.Service.Start(c.ctx, ask); err != nil {
		return nil, false, err
	}
	c.change.Target, c.change.Detail = info.ID, "workflow "+info.Workflow
	if !isNew {
		c.change.Detail += ", known already"
	}
	c.w.Header().Set("Location", "/v1/runs/"+info.ID)
	return info, isNew, nil
}

// farBehind is after every event that a run can have.
const farBehind = 1 << 62

// await waits for the end of a run, for so long, and tells where it stands then.
// A run that waits for a person, or a server that stops, ends the wait only by its
// time or at once.
func (c *call) await(id string, wait time.Duration) (*event.RunInfo, *event.Result) {
	ctx, cancel := context.WithTimeout(c.r.Context(), wait)
	defer cancel()
	stop := context.AfterFunc(c.stopCtx, cancel)
	defer stop()
	err := c.cfg.Service.Follow(ctx, id, farBehind, func(*event.Event) error { return nil })
	read, done := context.WithTimeout(context.WithoutCancel(c.r.Context()), c.limits.WorkTime)
	defer done()
	info, infoErr := c.cfg.Service.RunInfo(read, id)
	if infoErr != nil {
		return nil, nil
	}
	if err != nil && !info.Status.Ended() {
		return info, nil
	}
	result, resultErr := c.cfg.Service.RunResult(read, id)
	if resultErr != nil || !result.Status.Ended() {
		return info, nil
	}
	return info, result
}

func listRuns(c *call) error {
	q := c.query()
	f := event.RunFilter{Workflow: q.id("workflow"), Before: q.id("after"), Since: q.time("since"), Limit: q.number("limit", 1, 1000, 100)}
	for _, list := range q.values["status"] {
		for name := range strings.SplitSeq(list, ",") {
			s := event.Status(name)
			if !slices.Contains(runStatuses, s) {
				q.fail("status", fmt.Sprintf("some of %v", runStatuses))
			}
			f.Status = append(f.Status, s)
		}
	}
	counts := q.flag("counts")
	if q.err != nil {
		return q.err
	}
	runs, err := c.cfg.Service.Runs(c.ctx, f)
	if err != nil {
		return err
	}
	list := RunList{Runs: some(runs)}
	if len(runs) == f.Limit {
		list.Next = runs[len(runs)-1].ID
	}
	if counts {
		if list.Counts, err = c.cfg.Service.RunCounts(c.ctx, f.Workflow); err != nil {
			return err
		}
	}
	return c.answer(http.StatusOK, list)
}

var runStatuses = []event.Status{event.Running, event.Waiting, event.Succeeded, event.Degraded, event.Failed, event.Cancelled, event.Refused}

// some is a list that is [] in JSON when it is empty, not null.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func showRun(c *call) error {
	id, err := c.id("id")
	if err != nil {
		return err
	}
	return c.run(http.StatusOK, id)
}

// run answers with a run as it stands.
func (c *call) run(status int, id string) error {
	info, err := c.cfg.Service.RunInfo(c.ctx, id)
	if err != nil {
		return err
	}
	return c.answer(status, info)
}

func showResult(c *call) error {
	id, err := c.id("id")
	if err != nil {
		return err
	}
	result, err := c.cfg.Service.RunResult(c.ctx, id)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, result)
}

func showWhy(c *call) error {
	id, err := c.id("id")
	if err != nil {
		return err
	}
	waits, err := c.cfg.Service.Why(c.ctx, id)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]any{"waits": some(waits)})
}

// listEvents is a page of what is recorded; the stream is in stream.go.
func listEvents(c *call) error {
	id, err := c.id("id")
	if err != nil {
		return err
	}
	q := c.query()
	after, err := parseSeq(q.values.Get("after"))
	if err != nil {
		return err
	}
	limit := q.number("limit", 1, 5000, 1000)
	if q.err != nil {
		return q.err
	}
	page, err := c.eventPage(id, after, limit)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, page)
}

// EventPage is a page of what is recorded of a run. More is true when there is
// more after its last event, however few it has.
type EventPage struct {
	Events []json.RawMessage `json:"events"`
	More   bool              `json:"more"`
}

const (
	// pageBytes bound a page beside the number of its events: the outputs in them
	// may be large. The event that reaches them is the last.
	pageBytes = 8 << 20
	// pageStep are the events that are read at once.
	pageStep = 64
)

func (c *call) eventPage(id string, after uint64, limit int) (*EventPage, error) {
	p := &EventPage{Events: []json.RawMessage{}}
	for size := 0; ; {
		full := len(p.Events) == limit || size >= pageBytes
		most := min(pageStep, limit-len(p.Events))
		if full {
			most = 1
		}
		events, err := c.cfg.Service.RunEvents(c.ctx, id, after, most)
		if err != nil {
			return nil, err
		}
		if full {
			p.More = len(events) > 0
			return p, nil
		}
		for _, e := range events {
			if size >= pageBytes {
				p.More = true
				return p, nil
			}
			text, err := json.Marshal(e)
			if err != nil {
				return nil, err
			}
			p.Events, size, after = append(p.Events, text), size+len(text), e.Seq
		}
		if len(events) < most {
			return p, nil
		}
	}
}

// parseSeq reads the number of an event, as Last-Event-ID and after have it.
func parseSeq(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || text != strconv.FormatUint(n, 10) {
		return 0, refusal("bad_request", fmt.Sprintf("%q is no number of an event", shorten(text)))
	}
	return n, nil
}

func exportRun(c *call) error {
	id, err := c.id("id")
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="run-%s.json"`, id))
	err = c.cfg.Service.Export(c.ctx, id, c.w)
	if err != nil && c.w.status == 0 {
		h.Del("Content-Disposition")
	}
	return err
}
