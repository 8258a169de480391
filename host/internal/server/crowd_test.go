package server

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
)

// Behind a proxy everybody has one address: whoever proves who they are is served,
// however many others there fail.
func TestFailuresOfOthers(t *testing.T) {
	s := serve(t, func(c *Config) {
		c.Pages = []Route{{Pattern: "GET /page", Scope: Read, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("shown")) })}}
		c.PageProblem = func(w http.ResponseWriter, _ *http.Request, p *Problem) {
			w.WriteHeader(p.Status)
			_, _ = fmt.Fprintf(w, "page of %s", p.Code)
		}
	})
	var link LoginLink
	s.do("POST", "/v1/login-links", "").into(t, &link)
	for range 2 * failBurst {
		s.do("GET", "/v1/runs", "", "Authorization", "Bearer wrong")
	}
	none := []string{"Authorization", ""}
	s.do("GET", "/v1/runs", "", none...).want(t, "the API without a token", 429, "too_many_failures")
	s.do("GET", "/metrics", "", none...).want(t, "the metrics without a token, with pages beside them", 429, "too_many_failures")
	if a := s.do("GET", "/page", "", none...); a.status != 429 || string(a.body) != "page of too_many_failures" || a.header.Get("Retry-After") == "" {
		t.Errorf("a page without a cookie: %d %s %v", a.status, a.body, a.header)
	}
	s.do("GET", "/login", "", none...).want(t, "the form", 200, "")
	form := append(none, "Content-Type", "application/x-www-form-urlencoded")
	for what, in := range map[string]answer{"a link": s.do("GET", link.Path, "", none...), "a token": s.do("POST", "/login", url.Values{"token": {s.admin}}.Encode(), form...)} {
		if in.want(t, what, 303, ""); in.status != 303 {
			continue
		}
		c := s.cookie(in)
		if a := s.do("GET", "/page", "", append(none, "Cookie", c.Name+"="+c.Value)...); a.status != 200 {
			t.Errorf("the session of %s: %d %s", what, a.status, a.body)
		}
	}
	s.do("POST", "/hooks/slow", `1`, "Authorization", "Bearer "+hookBearer).want(t, "a webhook", 202, "")
}
