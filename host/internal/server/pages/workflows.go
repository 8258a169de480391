package pages

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"wasmhost/host/event"
	"wasmhost/host/internal/server"
)

// workflowPage is a workflow, and the form that starts a run of it.
type workflowPage struct {
	Workflow *event.WorkflowInfo
	Base     string
	Source   shown
	Graph    template.HTML
	NoGraph  string
	GraphAt  string
	Fields   []field
	JSON     bool // the input is typed as JSON, not into fields
	CanJSON  bool // there are fields, and JSON would be another way
	RunID    string
	RunIDBad string
	Error    string
	Recent   []event.RunInfo
	Health   strip
	Rate     string
}

func (p *Pages) workflows(r *http.Request) (*view, error) {
	all, err := p.service.Workflows(r.Context())
	if err != nil {
		return nil, err
	}
	return &view{Name: "workflows", Title: "Workflows", Nav: "workflows", Body: all, Every: 10}, nil
}

func (p *Pages) workflow(r *http.Request) (*view, error) {
	return p.workflowView(r, nil)
}

// workflowView is the page; with a form that was sent, what was typed and what is
// wrong with it is in it.
func (p *Pages) workflowView(r *http.Request, sent *workflowPage) (*view, error) {
	ctx := r.Context()
	info, source, err := p.service.Workflow(ctx, r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	b := sent
	if b == nil {
		b = &workflowPage{JSON: r.URL.Query().Get("as") == "json"}
		b.fill(info)
	}
	b.Workflow, b.Base = info, "/workflows/"+url.PathEscape(info.Name)
	b.Source = showText(string(source), "", sourceMost)
	b.GraphAt = "/v1/workflows/" + url.PathEscape(info.Name) + "/graph.svg"
	if info.Nodes > graphNodes {
		b.NoGraph = "A graph of " + plural(info.Nodes, "node") + " is too large for this page."
	} else if svg, err := p.service.Graph(ctx, info.Name, ""); err != nil {
		b.NoGraph = "The graph cannot be shown: " + line(wording(err))
	} else if b.Graph, err = inline(svg, nil); err != nil {
		b.NoGraph = "The graph cannot be shown: " + line(wording(err))
	}
	if b.Recent, err = p.service.Runs(ctx, event.RunFilter{Workflow: info.Name, Limit: 5}); err != nil {
		return nil, err
	}
	return &view{Name: "workflow", Title: info.Name, Nav: "workflows", Body: b}, nil
}

// fill makes the form of a workflow.
func (b *workflowPage) fill(info *event.WorkflowInfo) {
	b.Fields = formOf(info.InputSchema, info.Default)
	b.CanJSON = len(b.Fields) != 1 || b.Fields[0].Path != "" || b.Fields[0].Kind != "json"
	if b.JSON && b.CanJSON {
		whole := wholeInput(info.Default, "")
		whole.Hint = "JSON, as the schema of the workflow wants it"
		b.Fields = []field{whole}
	}
}

// start starts a run from the form. What is wrong is shown in the form, with all
// that was typed.
func (p *Pages) start(w http.ResponseWriter, r *http.Request) {
	ctx, name := r.Context(), r.PathValue("name")
	again := func(b *workflowPage, err error) {
		server.ChangeOf(ctx).Err = err
		p.show(func(r *http.Request) (*view, error) {
			v, err := p.workflowView(r, b)
			if v != nil {
				v.Status = http.StatusUnprocessableEntity
			}
			return v, err
		}).ServeHTTP(w, r)
	}
	info, _, err := p.service.Workflow(ctx, name)
	if err != nil {
		p.show(func(*http.Request) (*view, error) { return nil, err }).ServeHTTP(w, r)
		return
	}
	_ = r.ParseForm() // what it could not read is missing below
	b := &workflowPage{JSON: r.PostForm.Get("as") == "json", RunID: strings.TrimSpace(r.PostForm.Get("run_id"))}
	b.fill(info)
	input, given, ok := readFields(b.Fields, r.PostForm)
	if !ok {
		b.Error = "The run was not started: the input is not right yet."
		again(b, &event.Error{Code: "invalid_input", Class: event.Permanent, Message: "the form was not filled in right"})
		return
	}
	run, fresh, err := p.service.Start(ctx, server.StartRequest{Workflow: info.Name, Input: input, HasInput: given, RunID: b.RunID})
	if err != nil {
		b.Error = "The run was not started: " + wording(err)
		switch server.ProblemOf(err).Code {
		case "invalid_input":
			blame(b.Fields, wording(err))
		case "bad_run_id", "bad_id", "run_conflict":
			b.RunIDBad = wording(err)
		}
		again(b, err)
		return
	}
	server.ChangeOf(ctx).Detail = "run " + run.ID
	text := "The run was started."
	if !fresh {
		text = "This run id was known already: here is that run."
	}
	p.goTo(w, r, "/runs/"+url.PathEscape(run.ID), notice{Text: text})
}
