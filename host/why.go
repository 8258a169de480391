package host

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/journal"
)

// Wait tells what one part of a run waits for.
type Wait = event.Wait

// Why tells what a run waits for, or why it ended as it did. Codes: not_found,
// ambiguous.
func (h *Host) Why(ctx context.Context, id string) ([]Wait, error) {
	info, err := h.find(ctx, id)
	if err != nil {
		return nil, err
	}
	switch {
	case info.Status.Ended():
		return h.whyEnded(ctx, info)
	case info.Status == event.Waiting:
		return h.whyWaiting(ctx, info)
	}
	events, err := h.eventsOf(ctx, info)
	if err != nil {
		return nil, h.recorded(err)
	}
	var all []Wait
	if !info.Alive {
		all = append(all, Wait{Kind: "process", Text: "the process that worked on it is gone; nobody works on it now", Next: "host runs resume " + info.ID})
	}
	all = append(all, watch(events, h.clock.Now()).waits(info)...)
	if len(all) == 0 {
		all = append(all, Wait{Kind: "queue", Text: "nothing of it runs yet: its plugins are being loaded, or its health checked"})
	}
	return all, nil
}

// watching is what the events of a run say about now.
type watching struct {
	now   time.Time
	last  map[string]*event.Event // by node, the event that says where it stands
	begun map[string]uint64       // by node, the number of the event that it began with
	open  []*event.Event          // breakers
}

func watch(events []*event.Event, now time.Time) *watching {
	w := &watching{now: now, last: map[string]*event.Event{}, begun: map[string]uint64{}}
	for _, e := range events {
		w.see(e)
	}
	return w
}

func (w *watching) see(e *event.Event) {
	switch e.Type {
	case event.NodeStarted, event.NodeRetrying, event.NodeAttemptFailed, event.FallbackUsed, event.NodeWaiting:
		if w.last[e.Node] == nil {
			w.begun[e.Node] = e.Seq
		}
		w.last[e.Node] = e
	case event.NodeSucceeded, event.NodeFailed, event.NodeSkipped:
		delete(w.last, e.Node)
	case event.BreakerChanged:
		w.open = slices.DeleteFunc(w.open, func(o *event.Event) bool { return o.Breaker == e.Breaker })
		if e.To == "open" {
			w.open = append(w.open, e)
		}
	}
}

func (w *watching) waits(info *journal.Run) []Wait {
	var all []Wait
	for _, node := range slices.SortedFunc(maps.Keys(w.last), func(a, b string) int { return cmp.Compare(w.begun[a], w.begun[b]) }) {
		e := w.last[node]
		one := Wait{Node: node, Kind: "running"}
		switch e.Type {
		case event.NodeRetrying:
			one.Kind, one.Until = "retry", e.Time.Add(time.Duration(e.RetryInMS*1e6))
			what := fmt.Sprintf("attempt %d", e.Attempt)
			if node == "" || e.Reason == "the whole run" {
				one.Kind, what = "pause", fmt.Sprintf("round %d of the whole run", e.Attempt)
			}
			one.Text = fmt.Sprintf("waits for %s, %s", what, in(one.Until, w.now))
			if e.Error != nil {
				one.Text += "; the last one failed: " + e.Error.Error()
			}
		case event.NodeWaiting:
			one.Kind, one.Text, one.Next = "approval", e.Reason, "host runs approve "+info.ID+" --node "+node
			if e.Error != nil {
				one.Kind, one.Next = "outcome_unknown", one.Next+", or host runs retry "+info.ID+" --from "+node
			}
		case event.FallbackUsed:
			one.Text = fmt.Sprintf("its %s is asked, for %s now", e.AnsweredBy, since(e.Time, w.now))
		default:
			one.Text = "at work for " + since(e.Time, w.now)
		}
		if !info.Alive && one.Kind == "running" {
			one.Kind, one.Text = "interrupted", "was at work when the process went"
		}
		all = append(all, one)
	}
	for _, e := range w.open {
		until := e.Time.Add(time.Duration(e.RetryInMS * 1e6))
		if until.After(w.now) {
			all = append(all, Wait{Kind: "breaker", Until: until, Text: fmt.Sprintf("breaker %s is open: the next call may try %s", e.Breaker, in(until, w.now)),
				Next: "host breakers reset " + info.Workflow + "." + e.Breaker})
		}
	}
	return all
}

func (h *Host) whyWaiting(ctx context.Context, info *journal.Run) ([]Wait, error) {
	unknown, err := h.unknownNodes(ctx, info.ID)
	if err != nil {
		return nil, err
	}
	events, err := h.eventsOf(ctx, info)
	if err != nil {
		return nil, h.recorded(err)
	}
	var all []Wait
	for _, one := range watch(events, h.clock.Now()).waits(info) {
		if one.Kind != "approval" && one.Kind != "outcome_unknown" {
			continue
		}
		if !slices.Contains(unknown, one.Node) {
			one.Kind, one.Until = "approval", info.Wake
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		all = append(all, Wait{Kind: "approval", Text: info.Reason, Until: info.Wake, Next: "host runs approve " + info.ID})
	}
	return all, nil
}

func (h *Host) whyEnded(ctx context.Context, info *journal.Run) ([]Wait, error) {
	result, err := h.RunResult(ctx, info.ID)
	if err != nil {
		return nil, err
	}
	all := []Wait{{Kind: "ended", Text: fmt.Sprintf("it has ended: %s", info.Status)}}
	if e := result.Error; e != nil {
		if e.Code == string(info.Status) { // it says the same
			all[0].Text += ": " + e.Message
		} else {
			all[0].Text += ": " + e.Error()
		}
		all[0].Node = e.Node
		all[0].Next = "host runs retry " + info.ID
	}
	for _, l := range result.Levels {
		if len(result.Levels) > 1 && l.Error != nil {
			all = append(all, Wait{Kind: "ended", Text: fmt.Sprintf("level %s %s: %s", l.Workflow, l.Status, l.Error.Error())})
		}
	}
	for _, id := range sortedNodes(result.Nodes) {
		n := result.Nodes[id]
		switch {
		case n.Status == event.Degraded && n.AnsweredBy != "" && n.AnsweredBy != "primary":
			why := ""
			if len(n.Errors) > 0 {
				why = ", because " + n.Errors[0].Error()
			}
			all = append(all, Wait{Node: id, Kind: "ended", Text: fmt.Sprintf("answered by %s%s", n.AnsweredBy, why)})
		case n.Status == event.Skipped:
			all = append(all, Wait{Node: id, Kind: "ended", Text: "skipped: " + n.Reason})
		case n.Status == event.Failed && n.Error != nil:
			all = append(all, Wait{Node: id, Kind: "ended", Text: "failed: " + n.Error.Error()})
		}
	}
	return all, nil
}

func sortedNodes(nodes event.NodeMap) []string {
	ids := make([]string, 0, len(nodes))
	for id := range nodes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// in says how far away a time is.
func in(t, now time.Time) string {
	left := t.Sub(now)
	if left <= 0 {
		return "at any moment"
	}
	return "in " + round(left).String()
}

func since(t, now time.Time) string { return round(max(now.Sub(t), 0)).String() }

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(time.Second)
	}
	return d.Round(time.Millisecond)
}
