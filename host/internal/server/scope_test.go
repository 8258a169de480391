package server

import (
	"net/http"
	"strings"
	"testing"
)

// place is a path of a route that leads somewhere: a run that is there, or a name
// that is not, where the route would change something.
func place(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	for from, to := range map[string]string{"{id}": "nothing", "{name}": "nothing", "{key}": "nothing", "{workflow}": "nothing", "{path...}": "nothing"} {
		path = strings.ReplaceAll(path, from, to)
	}
	return method, path
}

// Every route with every scope: enough is never refused, too little always is.
func TestScopes(t *testing.T) {
	s := serve(t, nil)
	secrets := map[Scope]string{}
	for _, scope := range Scopes {
		secret, err := s.tokens.Add("t-"+string(scope), scope)
		if err != nil {
			t.Fatal(err)
		}
		secrets[scope] = secret
	}
	for pattern, route := range s.routes {
		method, path := place(pattern)
		for _, has := range append([]Scope{Public}, Scopes...) {
			auth := "Bearer " + secrets[has]
			if has == Public {
				auth = ""
			}
			if has == Public && route.scope != Public {
				continue // TestNobody has these, within the limit of failures
			}
			a := s.do(method, path, "", "Authorization", auth)
			refused := a.status == http.StatusForbidden || a.status == http.StatusUnauthorized && route.scope != Public
			if want := !has.Contains(route.scope); refused != want {
				t.Errorf("%s with scope %q: %d, want refused = %t", pattern, has, a.status, want)
			}
			if refused && a.problem.Code != "forbidden" {
				t.Errorf("%s with scope %q: code %q", pattern, has, a.problem.Code)
			}
		}
	}
}

// Without a token nothing but the public routes answers, and after some failures
// the caller is told to wait, while others are served.
func TestNobody(t *testing.T) {
	s := serve(t, nil)
	got := map[int]int{}
	for pattern, route := range s.routes {
		if route.scope == Public {
			continue
		}
		method, path := place(pattern)
		for _, auth := range []string{"", "Bearer wrong", "Basic " + s.admin, "Bearer " + s.admin + "x"} {
			a := s.do(method, path, "", "Authorization", auth)
			got[a.status]++
			if a.status != http.StatusUnauthorized && a.status != http.StatusTooManyRequests {
				t.Errorf("%s with %.10q: %d", pattern, auth, a.status)
			}
			if a.status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: 401 does not say how to authenticate", pattern)
			}
			if a.status == http.StatusTooManyRequests && a.header.Get("Retry-After") == "" {
				t.Errorf("%s: 429 does not say when", pattern)
			}
		}
	}
	if got[http.StatusUnauthorized] < failBurst || got[http.StatusTooManyRequests] == 0 {
		t.Errorf("statuses %v: want %d times 401, then 429", got, failBurst)
	}
	s.do("GET", "/v1/runs", "").want(t, "the right token, from the same address", 200, "")
	if n := len(s.audits); n > failBurst {
		t.Errorf("%d audits: they can be filled from outside", n)
	}
}

func TestScopeOrder(t *testing.T) {
	for i, has := range Scopes {
		for j, need := range Scopes {
			if got := has.Contains(need); got != (i >= j) {
				t.Errorf("%s contains %s: %t", has, need, got)
			}
		}
		if !has.Contains(Public) || Public.Contains(has) || Scope("root").Contains(has) || has.Contains("root") {
			t.Errorf("%s: public or unknown scopes", has)
		}
	}
}
