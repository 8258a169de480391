package pages

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"wasmhost/host/event"
	"wasmhost/host/internal/server"
)

const runsShown = 50

// statuses of a run, in the order in which a person asks for them.
var statuses = []event.Status{event.Running, event.Waiting, event.Failed, event.Refused, event.Degraded, event.Succeeded, event.Cancelled}

// runList is the page of the runs.
type runList struct {
	Runs      []event.RunInfo
	Filters   []filter
	Workflow  string
	Workflows []string
	Status    event.Status
	Older     string // address of the next page, "" when there is none
	Newest    string // address of the first one, when this is not it
	Self      string // address of this one
	Any       bool   // a filter is set
	Ticks     bool   // a run can be ticked
}

// filter is a link that shows the runs of one status.
type filter struct {
	Status event.Status // "" is all
	Count  int
	To     string
	On     bool
}

func runsAt(status event.Status, workflow, before string) string {
	q := url.Values{}
	for name, v := range map[string]string{"status": string(status), "workflow": workflow, "before": before} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if len(q) == 0 {
		return "/runs"
	}
	return "/runs?" + q.Encode()
}

func (p *Pages) runs(r *http.Request) (*view, error) {
	ctx, q := r.Context(), r.URL.Query()
	l := runList{Workflow: q.Get("workflow"), Status: event.Status(q.Get("status"))}
	before := q.Get("before")
	f := event.RunFilter{Workflow: l.Workflow, Before: before, Limit: runsShown + 1}
	if l.Status != "" {
		f.Status = []event.Status{l.Status}
	}
	counts, err := p.service.RunCounts(ctx, l.Workflow)
	if err != nil {
		return nil, err
	}
	if l.Runs, err = p.service.Runs(ctx, f); err != nil {
		return nil, err
	}
	served, err := p.service.Workflows(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range served {
		l.Workflows = append(l.Workflows, w.Name)
	}
	if len(l.Runs) > runsShown {
		l.Runs = l.Runs[:runsShown]
		l.Older = runsAt(l.Status, l.Workflow, l.Runs[runsShown-1].ID)
	}
	if before != "" {
		l.Newest = runsAt(l.Status, l.Workflow, "")
	}
	l.Self, l.Any = runsAt(l.Status, l.Workflow, before), l.Workflow != "" || l.Status != "" || before != ""
	l.Ticks = slices.ContainsFunc(l.Runs, func(r event.RunInfo) bool { return r.Status.Ended() && r.Status != event.Succeeded })
	all := 0
	for _, n := range counts {
		all += n
	}
	l.Filters = append(l.Filters, filter{Count: all, To: runsAt("", l.Workflow, ""), On: l.Status == ""})
	for _, s := range statuses {
		l.Filters = append(l.Filters, filter{Status: s, Count: counts[s], To: runsAt(s, l.Workflow, ""), On: l.Status == s})
	}
	v := &view{Name: "runs", Title: "Runs", Nav: "runs", Body: &l}
	if before == "" {
		v.Every = 4
	}
	return v, nil
}

// retryMany retries the runs that were ticked, and tells of each that could not
// be.
func (p *Pages) retryMany(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // what it could not read is missing below
	ids := r.PostForm["run"]
	back := "/runs"
	if u, err := url.Parse(r.PostForm.Get("back")); err == nil && u.Path == "/runs" && u.Host == "" {
		back = u.RequestURI()
	}
	change := server.ChangeOf(r.Context())
	if len(ids) == 0 {
		p.done(w, r, back, "", &event.Error{Class: event.Permanent, Code: "bad_request", Message: "No run was ticked: tick those to retry first."})
		return
	}
	ids = ids[:min(len(ids), 2*runsShown)]
	var done, failed, why []string
	for _, id := range ids {
		if _, err := p.service.RetryRun(r.Context(), id, ""); err != nil {
			failed, why = append(failed, line(id)), append(why, id+": "+wording(err))
			change.Err = err
			continue
		}
		done = append(done, id)
	}
	change.Target, change.Detail = plural(len(ids), "run"), "started again: "+strings.Join(done, " ")
	n := notice{Text: plural(len(done), "run") + " started again."}
	if failed != nil {
		change.Detail += "; not: " + strings.Join(failed, " ")
		n = notice{Bad: true, Text: fmt.Sprintf("%s started again; %d could not be: %s", plural(len(done), "run"), len(failed), strings.Join(why, "; "))}
	}
	p.goTo(w, r, back, n)
}
