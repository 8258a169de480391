package pages_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/net/html"

	"wasmhost/host/internal/server"
	"wasmhost/host/internal/server/pages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a server with pages, and who asks it.
type site struct {
	t       testing.TB
	server  *server.Server
	tokens  *server.Tokens
	service *memory
	secret  string
}

func newSite(t testing.TB, m *memory) *site {
	t.Helper()
	tokens, err := server.OpenTokens(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, tokens: tokens, service: m, secret: tokens.Admin()}
	s.server = server.New(server.Config{Service: m, Tokens: tokens, Pages: pages.New(m, pages.Options{Tokens: tokens, Version: "1.2.3"}), LoginPage: pages.Login, PageProblem: pages.Problem})
	t.Cleanup(func() { _ = s.server.Close() })
	return s
}

// as is the same site for somebody with that scope, "" for nobody.
func (s *site) as(scope server.Scope) *site {
	s.t.Helper()
	other := *s
	other.secret = ""
	if scope != server.Public {
		secret, err := s.tokens.Add("token-"+string(scope), scope)
		if err != nil {
			s.t.Fatal(err)
		}
		other.secret = secret
	}
	return &other
}

func (s *site) do(r *http.Request) *httptest.ResponseRecorder {
	r.Host = "localhost"
	if s.secret != "" {
		r.Header.Set("Authorization", "Bearer "+s.secret)
	}
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	return w
}

func (s *site) get(path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	r.Header.Set("Accept", "text/html")
	return s.do(r)
}

// post sends a form, and follows to the page that it ends on.
func (s *site) post(path, form string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	w := s.do(r)
	if w.Code == http.StatusSeeOther {
		to, _, _ := strings.Cut(w.Header().Get("Location"), "#")
		return s.get(to)
	}
	return w
}

func parse(t testing.TB, w *httptest.ResponseRecorder) *html.Node {
	t.Helper()
	n, err := html.Parse(strings.NewReader(w.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// text is what a person reads of a page.
func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode && d.Parent.Data != "script" && d.Parent.Data != "style" {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
