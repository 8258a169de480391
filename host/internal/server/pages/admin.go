package pages

import (
	"net/http"
	"strings"

	"wasmhost/host/event"
	"wasmhost/host/internal/server"
)

const auditsShown = 200

func (p *Pages) schedules(r *http.Request) (*view, error) {
	all, err := p.service.Schedules(r.Context())
	if err != nil {
		return nil, err
	}
	return &view{Name: "schedules", Title: "Schedules", Nav: "schedules", Body: all, Every: 10}, nil
}

// auditPage is the last changes.
type auditPage struct {
	Audits []event.Audit
	More   bool // than are shown
	Find   string
}

func (p *Pages) audit(r *http.Request) (*view, error) {
	b := auditPage{Find: strings.TrimSpace(r.URL.Query().Get("find"))}
	n := auditsShown + 1
	if b.Find != "" {
		n = 10_000 // all that are kept
	}
	all, err := p.service.Audits(r.Context(), n)
	if err != nil {
		return nil, err
	}
	find := strings.ToLower(b.Find)
	for _, a := range all {
		if find != "" && !strings.Contains(strings.ToLower(strings.Join([]string{a.By, a.Action, a.Target, a.Detail}, " ")), find) {
			continue
		}
		if len(b.Audits) == auditsShown {
			b.More = true
			break
		}
		b.Audits = append(b.Audits, a)
	}
	return &view{Name: "audit", Title: "Audit", Nav: "audit", Body: &b}, nil
}

// tokenPage is who may do what.
type tokenPage struct {
	Tokens []server.TokenInfo
	Scopes []server.Scope
}

func (p *Pages) tokenList(r *http.Request) (*view, error) {
	all, err := p.tokens.List()
	if err != nil {
		return nil, err
	}
	return &view{Name: "tokens", Title: "Tokens", Nav: "tokens", Body: &tokenPage{all, server.Scopes}}, nil
}

func (p *Pages) addToken(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSpace(r.PostFormValue("name"))
	change := server.ChangeOf(r.Context())
	change.Target = line(name)
	scope, err := server.ParseScope(r.PostFormValue("scope"))
	if err != nil {
		p.done(w, r, "/tokens", "", err)
		return
	}
	secret, err := p.tokens.Add(name, scope)
	if err != nil {
		p.done(w, r, "/tokens", "", err)
		return
	}
	change.Detail = "scope " + string(scope)
	p.goTo(w, r, "/tokens", notice{Text: "Token " + name + " was added. This is its secret; it is shown this once and kept nowhere:", Secret: secret})
}

func (p *Pages) removeToken(w http.ResponseWriter, r *http.Request) {
	name := r.PostFormValue("name")
	server.ChangeOf(r.Context()).Target = line(name)
	p.done(w, r, "/tokens", "Token "+name+" was removed: it opens nothing any more.", p.tokens.Remove(name))
}
