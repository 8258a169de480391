package pages

import (
	"net/http"
	"net/url"
	"strconv"

	"wasmhost/host/event"
)

// historyPage is a part of what happened in a run, or of its log.
type historyPage struct {
	Run     *event.RunInfo
	Base    string
	Log     bool
	Entries []entry
	Older   string
	Newest  string
	Last    uint64
}

func (p *Pages) events(r *http.Request) (*view, error) {
	ctx, q := r.Context(), r.URL.Query()
	info, err := p.service.RunInfo(ctx, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	b := historyPage{Run: info, Base: "/runs/" + url.PathEscape(info.ID), Log: q.Get("only") == "log"}
	self, keep, title := b.Base+"/events", everything, "What happened"
	if b.Log {
		self, keep, title = self+"?only=log", isLog, "Log"
	}
	before, _ := strconv.ParseUint(q.Get("before"), 10, 64)
	part, err := back(ctx, p.service, info.ID, before, 200, keep)
	if err != nil {
		return nil, err
	}
	p.whole(b.Base, part.Entries)
	b.Entries, b.Last = part.Entries, part.Last
	mark := "?"
	if b.Log {
		mark = "&"
	}
	if part.Older > 0 {
		b.Older = self + mark + "before=" + strconv.FormatUint(part.Older, 10)
	}
	if before > 0 {
		b.Newest = self
	}
	return &view{Name: "history", Title: title, Nav: "runs", Body: &b}, nil
}

// raw is the whole of what a page shows the beginning of, as plain text.
func (p *Pages) raw(w http.ResponseWriter, r *http.Request) {
	text, err := p.rawText(r)
	if err != nil {
		p.show(func(*http.Request) (*view, error) { return nil, err }).ServeHTTP(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(text) // the reader may have gone
}

func (p *Pages) rawText(r *http.Request) ([]byte, error) {
	ctx, q, id := r.Context(), r.URL.Query(), r.PathValue("id")
	missing := &event.Error{Class: event.Permanent, Code: "not_found", Message: "there is no such value of this run"}
	switch q.Get("of") {
	case "input":
		info, err := p.service.RunInfo(ctx, id)
		if err != nil {
			return nil, err
		}
		return info.Input.Bytes(), nil
	case "output", "node":
		result, err := p.service.RunResult(ctx, id)
		if err != nil {
			return nil, err
		}
		if q.Get("of") == "output" {
			return result.Output.Bytes(), nil
		}
		if n := find(result, q.Get("level"), q.Get("node")); n != nil {
			return n.Output.Bytes(), nil
		}
		return nil, missing
	case "event":
		seq, err := strconv.ParseUint(q.Get("seq"), 10, 64)
		if err != nil || seq == 0 {
			return nil, missing
		}
		events, err := p.service.RunEvents(ctx, id, seq-1, 1)
		if err != nil {
			return nil, err
		}
		if len(events) == 0 || events[0].Seq != seq {
			return nil, missing
		}
		return []byte(events[0].Message), nil
	}
	return nil, missing
}
