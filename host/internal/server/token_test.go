package server

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"wasmhost/host/event"
)

func code(err error) string {
	var e *event.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}

func TestTokens(t *testing.T) {
	dir := t.TempDir()
	tokens, err := OpenTokens(dir)
	if err != nil {
		t.Fatal(err)
	}
	if who, ok := tokens.Check(tokens.Admin()); !ok || who.Name != "admin" || who.Scope != Admin {
		t.Errorf("the admin token is %+v %t", who, ok)
	}
	secret, err := tokens.Add("ci", Run)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		scope Scope
		code  string
	}{{"ci", Read, "token_exists"}, {"admin", Read, "token_exists"}, {"local", Read, "token_exists"}, {"a b", Read, "bad_request"}, {"", Read, "bad_request"}, {"x", "root", "bad_request"}, {"x", "", "bad_request"}, {"..", Read, "bad_request"}} {
		if _, err := tokens.Add(c.name, c.scope); code(err) != c.code {
			t.Errorf("Add(%q, %q): %v, want %s", c.name, c.scope, err, c.code)
		}
	}
	for _, wrong := range []string{"", "x", secret + "x", secret[:len(secret)-1], strings.ToUpper(secret)} {
		if who, ok := tokens.Check(wrong); ok {
			t.Errorf("%q is %+v", wrong, who)
		}
	}
	text, err := os.ReadFile(tokens.filePath())
	if err != nil || strings.Contains(string(text), secret) {
		t.Errorf("tokens.json holds the secret: %v", err)
	}
	if runtime.GOOS != "windows" {
		for _, path := range []string{tokens.filePath(), tokens.AdminFile()} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v %v", path, info.Mode(), err)
			}
		}
	}

	// Another process sees all of it, and what it changes is seen here at once.
	other, err := OpenTokens(dir)
	if err != nil {
		t.Fatal(err)
	}
	if other.Admin() != tokens.Admin() {
		t.Error("another admin token")
	}
	if who, ok := other.Check(secret); !ok || who.Name != "ci" || who.Scope != Run {
		t.Errorf("in another process it is %+v %t", who, ok)
	}
	fresh, err := other.Add("new", Approve)
	if err != nil {
		t.Fatal(err)
	}
	if who, ok := tokens.Check(fresh); !ok || who.Name != "new" {
		t.Error("a token of another process is not known")
	}
	if err := other.Remove("ci"); err != nil {
		t.Fatal(err)
	}
	if _, ok := tokens.Check(secret); ok {
		t.Error("a token that another process removed is accepted")
	}
	if err := tokens.Remove("ci"); code(err) != "not_found" {
		t.Errorf("removed twice: %v", err)
	}
	all, err := tokens.List()
	if err != nil || len(all) != 1 || all[0].Name != "new" || all[0].LastUsed.IsZero() {
		t.Errorf("the list is %+v %v", all, err)
	}
}

// Two processes that add at the same time lose nothing.
func TestTokensTogether(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for _, who := range []string{"a", "b", "c", "d"} {
		tokens, err := OpenTokens(dir)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			for _, n := range []string{"1", "2", "3", "4", "5"} {
				if _, err := tokens.Add(who+n, Read); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	tokens, err := OpenTokens(dir)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := tokens.List(); err != nil || len(list) != 20 {
		t.Errorf("%d tokens, want 20 (%v)", len(list), err)
	}
}

// A damaged file is an error that says so, and never a server without doors.
func TestDamagedTokens(t *testing.T) {
	for what, text := range map[string]string{
		"cut off":        `{"v": 1, "tokens": [{"name"`,
		"empty":          ``,
		"version":        `{"v": 2, "tokens": []}`,
		"digest":         `{"v": 1, "tokens": [{"name": "a", "scope": "read", "sha256": "00"}]}`,
		"scope":          `{"v": 1, "tokens": [{"name": "a", "scope": "root", "sha256": "` + strings.Repeat("00", 32) + `"}]}`,
		"name":           `{"v": 1, "tokens": [{"name": "", "scope": "read", "sha256": "` + strings.Repeat("00", 32) + `"}]}`,
		"something else": `[]`,
	} {
		dir := t.TempDir()
		writeTo(t, filepath.Join(dir, "tokens.json"), text)
		if _, err := OpenTokens(dir); code(err) != "bad_tokens" {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, text := range map[string]string{"empty": "", "short": "host_abc", "two lines": "host_" + strings.Repeat("a", 40) + "\nx y"} {
		dir := t.TempDir()
		writeTo(t, filepath.Join(dir, "admin.token"), text)
		if _, err := OpenTokens(dir); code(err) != "bad_tokens" {
			t.Errorf("admin token %s: %v", what, err)
		}
	}

	s := serve(t, nil)
	secret, err := s.tokens.Add("ci", Read)
	if err != nil {
		t.Fatal(err)
	}
	writeTo(t, s.tokens.filePath(), "rubbish")
	s.do("GET", "/v1/runs", "", "Authorization", "Bearer "+secret).want(t, "a file that was damaged since", 503, "bad_tokens")
	s.do("GET", "/v1/runs", "").want(t, "the admin token, which is in another file", 200, "")
	s.do("POST", "/v1/tokens", `{"name": "x", "scope": "read"}`).want(t, "adding to it", 503, "bad_tokens")
	if text, _ := os.ReadFile(s.tokens.filePath()); string(text) != "rubbish" {
		t.Error("the damaged file was written over")
	}
}

func TestTokenRoutes(t *testing.T) {
	s := serve(t, nil)
	var made NewToken
	a := s.do("POST", "/v1/tokens", `{"name": "ci", "scope": "run"}`)
	a.want(t, "add", 201, "")
	a.into(t, &made)
	s.do("GET", "/v1/runs", "", "Authorization", "Bearer "+made.Secret).want(t, "use", 200, "")
	s.do("POST", "/v1/tokens", `{"name": "ci", "scope": "run"}`).want(t, "twice", 409, "token_exists")
	a = s.do("GET", "/v1/tokens", "")
	a.want(t, "list", 200, "")
	if strings.Contains(string(a.body), made.Secret) {
		t.Error("the list holds the secret")
	}
	s.do("DELETE", "/v1/tokens/ci", "").want(t, "remove", 204, "")
	s.do("GET", "/v1/runs", "", "Authorization", "Bearer "+made.Secret).want(t, "use after that", 401, "unauthorized")
	s.do("DELETE", "/v1/tokens/ci", "").want(t, "remove again", 404, "not_found")
}

func (s *served) cookie(a answer) *http.Cookie {
	s.t.Helper()
	all := (&http.Response{Header: a.header}).Cookies()
	if len(all) != 1 {
		s.t.Fatalf("%d cookies in %v", len(all), a.header)
	}
	return all[0]
}

func TestLogin(t *testing.T) {
	var mu sync.Mutex
	skew := time.Duration(0)
	tokens, err := OpenTokens(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	tokens.now = func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(skew) }
	later := func(d time.Duration) { mu.Lock(); skew += d; mu.Unlock() }
	s := serve(t, func(c *Config) {
		c.Tokens = tokens
		c.Pages = []Route{{Pattern: "GET /page", Scope: Read, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(IdentityOf(r.Context()).By()))
		})}}
	})
	none := []string{"Authorization", ""}

	var link LoginLink
	s.do("POST", "/v1/login-links", "").into(t, &link)
	a := s.do("GET", link.Path+"&next=/page", "", none...)
	a.want(t, "the link", 303, "")
	c := s.cookie(a)
	if a.header.Get("Location") != "/page" || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.Path != "/" {
		t.Errorf("Location %q, cookie %+v", a.header.Get("Location"), c)
	}
	with := []string{"Authorization", "", "Cookie", c.Name + "=" + c.Value}
	if a := s.do("GET", "/page", "", with...); string(a.body) != "admin (browser)" {
		t.Errorf("the page is shown to %q", a.body)
	}
	s.do("GET", link.Path, "", none...).want(t, "the link again", 401, "")
	s.do("POST", "/v1/runs/x/cancel", "", append(with, "Origin", "http://evil.example")...).want(t, "the cookie from another site", 403, "cross_origin")
	for _, next := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "evil", "/a\nb"} {
		if got := local(next); got != "/" {
			t.Errorf("next %q leads to %q", next, got)
		}
	}

	s.do("POST", "/v1/login-links", "").into(t, &link)
	later(linkTime)
	s.do("GET", link.Path, "", none...).want(t, "an old link", 401, "")
	s.do("GET", "/page", "", with...).want(t, "the session, still", 200, "")
	later(sessionTime)
	s.do("GET", "/page", "", with...).want(t, "an old session", 401, "unauthorized")

	// By a token: with its scope, and no longer than it.
	secret, err := tokens.Add("viewer", Read)
	if err != nil {
		t.Fatal(err)
	}
	for what, bearer := range map[string]string{"the admin token": s.admin, "a token": secret} {
		a := s.do("GET", "/login?token="+bearer, "", none...)
		if a.want(t, what+" for a link", 401, ""); a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s in an address opens a session", what)
		}
	}
	form := []string{"Authorization", "", "Content-Type", "application/x-www-form-urlencoded"}
	a = s.do("POST", "/login", url.Values{"token": {secret}}.Encode(), append(form, "Sec-Fetch-Site", "cross-site")...)
	a.want(t, "a token, from another site", 403, "cross_origin")
	a = s.do("POST", "/login", "token=wrong&next=/page", form...)
	if a.want(t, "a wrong token", 401, ""); !strings.Contains(string(a.body), `value="/page"`) {
		t.Errorf("after a wrong token the form leads elsewhere: %s", a.body)
	}
	a = s.do("POST", "/login", url.Values{"token": {secret}}.Encode(), form...)
	a.want(t, "a token", 303, "")
	c = s.cookie(a)
	if all, err := tokens.List(); err != nil || all[0].LastUsed.IsZero() {
		t.Errorf("a token that has opened a session was never used: %+v, %v", all, err)
	}
	with = []string{"Authorization", "", "Cookie", c.Name + "=" + c.Value}
	s.do("GET", "/v1/runs", "", with...).want(t, "read", 200, "")
	s.do("GET", "/v1/audit", "", with...).want(t, "admin", 403, "forbidden")
	if err := tokens.Remove("viewer"); err != nil {
		t.Fatal(err)
	}
	s.do("GET", "/v1/runs", "", with...).want(t, "the session of a token that is gone", 401, "unauthorized")

	s.do("POST", "/v1/login-links", "").into(t, &link)
	c = s.cookie(s.do("GET", link.Path, "", none...))
	with = []string{"Authorization", "", "Cookie", c.Name + "=" + c.Value}
	s.do("POST", "/logout", "", with...).want(t, "log out", 303, "")
	s.do("GET", "/v1/runs", "", with...).want(t, "after that", 401, "unauthorized")
}
