package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"wasmhost/host/event"
)

// Workflows are those that the server serves.
func (c *Client) Workflows(ctx context.Context) ([]event.WorkflowInfo, error) {
	var a struct{ Workflows []event.WorkflowInfo }
	err := c.get(ctx, ask{method: "GET", path: "/v1/workflows"}, &a)
	return a.Workflows, err
}

// Workflow is one of them, and the text of its file.
func (c *Client) Workflow(ctx context.Context, name string) (*event.WorkflowInfo, []byte, error) {
	q, err := at("GET", "/v1/workflows/%s", name)
	a, err := one[WorkflowAnswer](ctx, c, q, err)
	if err != nil {
		return nil, nil, err
	}
	return &a.WorkflowInfo, []byte(a.Text), nil
}

// Graph is a workflow as SVG.
func (c *Client) Graph(ctx context.Context, workflow, run string) ([]byte, error) {
	q, err := at("GET", "/v1/workflows/%s/graph.svg", workflow)
	if err != nil {
		return nil, err
	}
	if run != "" {
		q.query = url.Values{"run": {run}}
	}
	var svg bytes.Buffer
	err = c.raw(ctx, q, &svg)
	return svg.Bytes(), err
}

// Start starts a run and does not wait for it.
func (c *Client) Start(ctx context.Context, s StartRequest) (*event.RunInfo, bool, error) {
	name, err := part(s.Workflow)
	if err != nil {
		return nil, false, err
	}
	fields := map[string]any{}
	if s.HasInput {
		fields["input"] = s.Input
	}
	if s.RunID != "" {
		fields["run_id"] = s.RunID
	}
	q, err := jsonAsk(http.MethodPost, "/v1/workflows/"+name+"/runs", fields)
	if err != nil {
		return nil, false, err
	}
	answer, err := c.send(ctx, q)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = answer.Body.Close() }()
	var a RunAnswer
	if err := json.NewDecoder(io.LimitReader(answer.Body, mostAnswer)).Decode(&a); err != nil {
		return nil, false, refusal("bad_answer", "the server started the run and answered something else than expected: "+err.Error())
	}
	return &a.RunInfo, answer.StatusCode == http.StatusCreated, nil
}

// Runs are those that the filter chooses, the newest first.
func (c *Client) Runs(ctx context.Context, f event.RunFilter) ([]event.RunInfo, error) {
	left := f.Limit
	if left <= 0 {
		left = 100
	}
	q := url.Values{}
	for _, s := range f.Status {
		q.Add("status", string(s))
	}
	if f.Workflow != "" {
		q.Set("workflow", f.Workflow)
	}
	if !f.Since.IsZero() {
		q.Set("since", f.Since.UTC().Format(time.RFC3339Nano))
	}
	if f.Before != "" {
		q.Set("after", f.Before)
	}
	var all []event.RunInfo
	for {
		q.Set("limit", strconv.Itoa(min(left, 1000)))
		list, err := one[RunList](ctx, c, ask{method: "GET", path: "/v1/runs", query: q}, nil)
		if err != nil {
			return nil, err
		}
		all = append(all, list.Runs...)
		left -= len(list.Runs)
		if list.Next == "" || left <= 0 {
			return all, nil
		}
		q.Set("after", list.Next)
	}
}

// RunCounts counts runs by status.
func (c *Client) RunCounts(ctx context.Context, workflow string) (map[event.Status]int, error) {
	q := url.Values{"counts": {"true"}, "limit": {"1"}}
	if workflow != "" {
		q.Set("workflow", workflow)
	}
	list, err := one[RunList](ctx, c, ask{method: "GET", path: "/v1/runs", query: q}, nil)
	if err != nil {
		return nil, err
	}
	return list.Counts, nil
}

// RunInfo is a run as it stands.
func (c *Client) RunInfo(ctx context.Context, id string) (*event.RunInfo, error) {
	q, err := at("GET", "/v1/runs/%s", id)
	return one[event.RunInfo](ctx, c, q, err)
}

// RunResult is what a run came to, or so far.
func (c *Client) RunResult(ctx context.Context, id string) (*event.Result, error) {
	q, err := at("GET", "/v1/runs/%s/result", id)
	return one[event.Result](ctx, c, q, err)
}

// RunEvents are recorded events whose Seq is more than after, at most limit of
// them; limit 0 is 1000. Fewer are all that there are.
func (c *Client) RunEvents(ctx context.Context, id string, after uint64, limit int) ([]*event.Event, error) {
	q, err := at("GET", "/v1/runs/%s/events.json", id)
	if err != nil {
		return nil, err
	}
	if limit <= 0 {
		limit = 1000
	}
	var all []*event.Event
	for {
		q.query = url.Values{"after": {strconv.FormatUint(after, 10)}, "limit": {strconv.Itoa(min(limit-len(all), 5000))}}
		var page struct {
			Events []*event.Event
			More   bool
		}
		if err := c.get(ctx, q, &page); err != nil {
			return all, err
		}
		all = append(all, page.Events...)
		if !page.More || len(all) >= limit || len(page.Events) == 0 {
			return all, nil
		}
		after = page.Events[len(page.Events)-1].Seq
	}
}

// Why says what a run waits for.
func (c *Client) Why(ctx context.Context, id string) ([]event.Wait, error) {
	q, err := at("GET", "/v1/runs/%s/why", id)
	if err != nil {
		return nil, err
	}
	var a struct{ Waits []event.Wait }
	err = c.get(ctx, q, &a)
	return a.Waits, err
}

// Export writes a run as one JSON file.
func (c *Client) Export(ctx context.Context, id string, w io.Writer) error {
	q, err := at("GET", "/v1/runs/%s/export", id)
	if err != nil {
		return err
	}
	q.long = true
	return c.raw(ctx, q, w)
}

// CancelRun cancels a run.
func (c *Client) CancelRun(ctx context.Context, id, reason string) error {
	fields := map[string]any{}
	if reason != "" {
		fields["reason"] = reason
	}
	q, err := post("/v1/runs/%s/cancel", id, fields)
	if err != nil {
		return err
	}
	return c.get(ctx, q, nil)
}

// ResumeRun goes on with a run that nobody works on.
func (c *Client) ResumeRun(ctx context.Context, id string) (*event.RunInfo, error) {
	q, err := post("/v1/runs/%s/resume", id, map[string]any{})
	return one[event.RunInfo](ctx, c, q, err)
}

// RetryRun runs again what did not succeed, or from and what follows it.
func (c *Client) RetryRun(ctx context.Context, id, from string) (*event.RunInfo, error) {
	fields := map[string]any{}
	if from != "" {
		fields["from"] = from
	}
	q, err := post("/v1/runs/%s/retry", id, fields)
	return one[event.RunInfo](ctx, c, q, err)
}

// ApproveRun answers a node that waits for a person. Who that is, the server says
// by the token.
func (c *Client) ApproveRun(ctx context.Context, id string, a event.Approval) (*event.RunInfo, error) {
	fields := map[string]any{}
	if a.Node != "" {
		fields["node"] = a.Node
	}
	if a.Reject {
		fields["reject"] = true
	}
	if a.HasOutput {
		fields["output"] = a.Output
	}
	if a.Comment != "" {
		fields["comment"] = a.Comment
	}
	q, err := post("/v1/runs/%s/approve", id, fields)
	return one[event.RunInfo](ctx, c, q, err)
}

// DeleteRun deletes a run that nobody works on.
func (c *Client) DeleteRun(ctx context.Context, id string) error {
	q, err := at("DELETE", "/v1/runs/%s", id)
	if err != nil {
		return err
	}
	return c.get(ctx, q, nil)
}
