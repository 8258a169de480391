package pages

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/server"
)

//go:embed templates
var templateFiles embed.FS

// view is what the frame around every page needs, and the page's own Body.
type view struct {
	Name   string // of the template
	Title  string
	Nav    string // the entry of the navigation that is marked
	Status int    // of the answer, 0: 200
	// Live is where the page's events come from, After the last that it shows;
	// Every is after how many seconds it is fetched again. At most one is set.
	Live  string
	After uint64
	Every int

	Body any

	Who    server.Identity
	Notice *notice
	Tokens bool
	Now    time.Time
	// Here is the address of the page, without the note of a change.
	Here    string
	Version string
}

// Can reports whether who looks may do what needs the scope.
func (v *view) Can(scope string) bool { return v.Who.Scope.Contains(server.Scope(scope)) }

// Typed is what was typed into the form of a waiting node and was not taken.
func (v *view) Typed(node string) answer {
	if v.Notice == nil || v.Notice.Answer == nil || v.Notice.Answer.Node != node {
		return answer{}
	}
	return *v.Notice.Answer
}

// page makes what a page shows.
type page func(r *http.Request) (*view, error)

// show answers with a page, or says why there is none.
func (p *Pages) show(f page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := f(r)
		if err != nil {
			server.ChangeOf(r.Context()).Err = err // the log hears of it
			v = problemView(server.ProblemOf(err))
		}
		p.answer(w, r, v)
	})
}

func (p *Pages) answer(w http.ResponseWriter, r *http.Request, v *view) {
	v.Who = server.IdentityOf(r.Context())
	v.Tokens = (p.tokens != nil || p == bare && v.Who.Proven()) && v.Can("admin")
	if v.Notice == nil {
		v.Notice = p.notices.find(v.Who.Name, r.URL.Query().Get("note"))
	}
	v.Now, v.Version, v.Here = p.now(), p.version, here(r)
	p.write(w, v)
}

func here(r *http.Request) string {
	u := *r.URL
	q := u.Query()
	q.Del("note")
	u.RawQuery = q.Encode()
	return u.RequestURI()
}

func (p *Pages) write(w http.ResponseWriter, v *view) {
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, v.Name, v); err != nil {
		http.Error(w, "this page cannot be drawn: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	if v.Status != 0 {
		w.WriteHeader(v.Status)
	}
	_, _ = w.Write(b.Bytes()) // the reader may have gone
}

// parse reads the templates for the clock of these pages.
func (p *Pages) parse() *Pages {
	p.templates = template.Must(template.New("").Funcs(p.functions()).ParseFS(templateFiles, "templates/*.html"))
	return p
}

func (p *Pages) functions() template.FuncMap {
	return template.FuncMap{
		"asset":     assetPath,
		"ago":       p.ago,
		"until":     p.until,
		"at":        at,
		"clock":     clockTime,
		"inZone":    inZone,
		"duration":  duration,
		"size":      size,
		"number":    number,
		"plural":    plural,
		"line":      line,
		"visible":   visible,
		"long":      long,
		"short":     short,
		"mark":      mark,
		"path":      url.PathEscape,
		"query":     url.QueryEscape,
		"list":      func(v ...any) []any { return v },
		"word":      func(s any) string { return strings.ReplaceAll(toString(s), "_", " ") },
		"errorText": errorText,
		"describe":  describe,
		"bytes":     func(n uint64) string { return size(int(n)) },
		"scopeText": scopeText,
		"digestOf":  func(s string) string { return strings.TrimPrefix(s, "sha256:") },
	}
}

func toString(s any) string {
	switch s := s.(type) {
	case string:
		return s
	case event.Status:
		return string(s)
	case event.VersionState:
		return string(s)
	case event.Type:
		return string(s)
	case server.Scope:
		return string(s)
	}
	return ""
}

// short is the beginning of a digest.
func short(digest string) string {
	digest = strings.TrimPrefix(digest, "sha256:")
	if len(digest) > 12 {
		digest = digest[:12]
	}
	return digest
}

// mark is the sign of a status: the same as in the graph, so that nothing is
// said by colour alone.
func mark(status any) string {
	switch toString(status) {
	case "succeeded", "closed", "healthy", "current":
		return "✓"
	case "degraded", "half_open", "canary":
		return "~"
	case "failed", "refused", "open", "unhealthy":
		return "✗"
	case "skipped":
		return "–"
	case "cancelled":
		return "×"
	case "running", "draining":
		return "▸"
	case "waiting":
		return "…"
	}
	return "·"
}

func errorText(e *event.Error) string {
	if e == nil {
		return ""
	}
	return line(e.Message)
}

// scopeText says what a scope lets somebody do.
func scopeText(s server.Scope) string {
	switch s {
	case server.Read:
		return "sees runs with their inputs and outputs, workflows, plugins and health"
	case server.Run:
		return "starts, cancels, resumes and retries runs too"
	case server.Approve:
		return "answers what waits for a person too"
	case server.Admin:
		return "everything: plugins, breakers, tokens, the audit"
	}
	return ""
}
