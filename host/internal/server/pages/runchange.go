package pages

import (
	"net/http"
	"net/url"
	"strings"

	"wasmhost/host/event"
	"wasmhost/host/internal/server"
)

// place is where a change of a run ends: on the page that it was made from.
func place(r *http.Request, id string) string {
	page := "/runs/" + url.PathEscape(id)
	if u, err := url.Parse(r.PostFormValue("back")); err == nil && u.Host == "" && u.Scheme == "" && (u.Path == page || strings.HasPrefix(u.Path, page+"/")) {
		return u.RequestURI()
	}
	return page
}

func (p *Pages) cancel(w http.ResponseWriter, r *http.Request) {
	id, reason := r.PathValue("id"), strings.TrimSpace(r.PostFormValue("reason"))
	change := server.ChangeOf(r.Context())
	change.Detail = line(reason)
	if reason == "" {
		reason = "cancelled by " + server.IdentityOf(r.Context()).By()
	}
	p.done(w, r, place(r, id), "The run is being cancelled.", p.service.CancelRun(r.Context(), id, reason))
}

func (p *Pages) resume(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	_, err := p.service.ResumeRun(r.Context(), id)
	p.done(w, r, place(r, id), "The run goes on.", err)
}

func (p *Pages) retry(w http.ResponseWriter, r *http.Request) {
	id, from := r.PathValue("id"), r.PostFormValue("from")
	text := "The run was started again: what succeeded is kept."
	if from != "" {
		server.ChangeOf(r.Context()).Detail = "from " + line(from)
		text = "The run was started again from " + from + "."
	}
	_, err := p.service.RetryRun(r.Context(), id, from)
	p.done(w, r, place(r, id), text, err)
}

// approve answers a node that waits for a person.
func (p *Pages) approve(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	a := event.Approval{Node: r.PostFormValue("node"), Reject: r.PostFormValue("answer") == "reject",
		Comment: strings.TrimSpace(r.PostFormValue("comment")), By: server.IdentityOf(r.Context()).By()}
	typed := answer{Node: a.Node, Comment: a.Comment, Output: r.PostFormValue("output")}
	if text := strings.TrimSpace(typed.Output); text != "" && !a.Reject {
		v, err := event.Parse([]byte(text))
		if err != nil {
			p.again(w, r, place(r, id), typed, &event.Error{Class: event.Permanent, Code: "invalid_output",
				Message: "the output is no JSON (" + err.Error() + "): " + line(text) + " – a text needs quotes around it"})
			return
		}
		a.Output, a.HasOutput = v, true
	}
	change, text := server.ChangeOf(r.Context()), "Approved: the run goes on."
	change.Detail = "approved " + line(a.Node)
	if a.Reject {
		change.Detail, text = "rejected "+line(a.Node), "Rejected: the node has failed."
	}
	if _, err := p.service.ApproveRun(r.Context(), id, a); err != nil {
		p.again(w, r, place(r, id), typed, err)
		return
	}
	p.done(w, r, place(r, id), text, nil)
}

func (p *Pages) delete(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if err := p.service.DeleteRun(r.Context(), id); err != nil {
		p.done(w, r, place(r, id), "", err)
		return
	}
	p.done(w, r, "/runs", "Run "+id+" was deleted.", nil)
}
