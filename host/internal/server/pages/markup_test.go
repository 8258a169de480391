package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// TestMarkup goes through every page that a link leads to: every field has a
// label, every table its headers, every id is there once, nothing is inline,
// nothing comes from elsewhere, and every link answers.
func TestMarkup(t *testing.T) {
	m := lively(t)
	m.large(700)
	s := newSite(t, m)
	seen := map[string]bool{}
	kinds := map[string]int{} // pages of one sort that were looked at
	todo := []string{"/", "/login", "/nothing", "/runs/large-run", "/runs/unknown-run", "/workflows/orders?as=json", "/runs?status=refused", "/audit?find=zzz"}
	for len(todo) > 0 && len(seen) < 400 {
		at := todo[0]
		todo = todo[1:]
		if seen[at] {
			continue
		}
		seen[at] = true
		w := s.get(at)
		if w.Code == http.StatusSeeOther {
			todo = append(todo, w.Header().Get("Location"))
			continue
		}
		if w.Code != 200 && at != "/nothing" {
			t.Errorf("%s answers %d", at, w.Code)
			continue
		}
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			continue
		}
		page := parse(t, w)
		checkMarkup(t, at, page)
		for n := range page.Descendants() {
			for _, name := range []string{"href", "src", "action"} {
				to := attr(n, name)
				if n.Type != html.ElementNode || to == "" || name == "action" && attr(n, "method") == "post" {
					continue
				}
				u, err := url.Parse(to)
				if err != nil || u.Scheme != "" || u.Host != "" {
					t.Errorf("%s leads to %q, which is not here", at, to)
					continue
				}
				base, _ := url.Parse(at)
				u = base.ResolveReference(u)
				place := u.Fragment
				u.Fragment = ""
				if place != "" && u.RequestURI() == at && byID(page, place) == nil {
					t.Errorf("%s leads to #%s, which it does not have", at, place)
				}
				// Enough of each sort: many runs have pages alike.
				kind := strings.Join(strings.Split(u.Path, "/")[:min(3, strings.Count(u.Path, "/")+1)], "/")
				if strings.HasPrefix(u.Path, "/runs/") {
					kind = "/runs/" + u.Path[strings.LastIndexByte(u.Path, '/')+1:]
					if strings.Count(u.Path, "/") == 2 {
						kind = "/runs/ID"
					}
				}
				if kinds[kind]++; kinds[kind] < 60 && !seen[u.RequestURI()] {
					todo = append(todo, u.RequestURI())
				}
			}
		}
	}
	for _, want := range []string{"/runs", "/workflows/orders", "/plugins/orders.prices", "/health", "/schedules", "/audit", "/tokens", "/v1/runs/waiting-run/export"} {
		if !seen[want] {
			t.Errorf("no link leads to %s", want)
		}
	}
}

func byID(page *html.Node, id string) *html.Node {
	for n := range page.Descendants() {
		if attr(n, "id") == id {
			return n
		}
	}
	return nil
}

func checkMarkup(t *testing.T, at string, page *html.Node) {
	t.Helper()
	ids, labels := map[string]bool{}, map[string]bool{}
	landmarks := map[string]int{}
	h1 := 0
	for n := range page.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("%s has the id %q twice", at, id)
			}
			ids[id] = true
		}
		switch n.Data {
		case "label":
			labels[attr(n, "for")] = true
		case "main", "header", "footer":
			landmarks[n.Data]++
		case "h1":
			h1++
		}
	}
	if landmarks["main"] != 1 || landmarks["header"] != 1 || landmarks["footer"] != 1 || h1 != 1 {
		t.Errorf("%s has landmarks %v and %d h1", at, landmarks, h1)
	}
	for n := range page.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || strings.HasPrefix(strings.ToLower(a.Val), "javascript:") {
				t.Errorf("%s: <%s %s=%q> is inline", at, n.Data, a.Key, a.Val)
			}
			if a.Key == "aria-describedby" || a.Key == "aria-labelledby" {
				for _, id := range strings.Fields(a.Val) {
					if !ids[id] {
						t.Errorf("%s: <%s> is described by %q, which is not there", at, n.Data, id)
					}
				}
			}
		}
		switch n.Data {
		case "style":
			t.Errorf("%s has an inline style", at)
		case "script":
			if attr(n, "src") == "" || n.FirstChild != nil {
				t.Errorf("%s has an inline script", at)
			}
		case "input", "select", "textarea":
			if attr(n, "type") == "hidden" {
				break
			}
			if !labels[attr(n, "id")] && !within(n, "label") {
				t.Errorf("%s: <%s name=%q> has no label", at, n.Data, attr(n, "name"))
			}
		case "button", "a", "summary", "th":
			if text(n) == "" && attr(n, "aria-label") == "" {
				t.Errorf("%s: a <%s> %v without words", at, n.Data, n.Attr)
			}
			if n.Data == "th" && attr(n, "scope") == "" {
				t.Errorf("%s: <th>%s has no scope", at, text(n))
			}
		case "nav":
			if attr(n, "aria-label") == "" {
				t.Errorf("%s: a <nav> without a name", at)
			}
		case "svg":
			if attr(n, "aria-hidden") == "" && attr(n, "aria-label") == "" {
				t.Errorf("%s: an <svg> without a name", at)
			}
		case "fieldset":
			if n.FirstChild == nil || text(n) == "" {
				t.Errorf("%s: an empty fieldset", at)
			}
		case "form":
			if m := attr(n, "method"); m != "post" && m != "get" {
				t.Errorf("%s: a form without a method", at)
			}
		}
		if has(n, "data-fresh") && attr(n, "id") == "" {
			t.Errorf("%s: <%s data-fresh> without an id stays as it is", at, n.Data)
		}
	}
}

func within(n *html.Node, name string) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.Data == name {
			return true
		}
	}
	return false
}

// TestAssets: they are kept for good, and the style of the graph is the one that
// the graph has outside of a page.
func TestAssets(t *testing.T) {
	m := lively(t)
	s := newSite(t, m)
	page := s.get("/login").Body.String()
	for _, name := range []string{"app.css", "app.js", "mark.svg"} {
		at := page[strings.LastIndex(page[:strings.Index(page, name)], `"`)+1:]
		at = at[:strings.IndexByte(at, '"')]
		w := s.as(serverPublic).get(at)
		if w.Code != 200 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d %v", at, w.Code, w.Header())
		}
		old := s.get("/assets/0/" + name)
		if old.Code != 200 || strings.Contains(old.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s of another version: %d %v", name, old.Code, old.Header())
		}
		if name != "app.css" {
			continue
		}
		svg, err := m.plan.Graph("svg", graphPlain)
		if err != nil {
			t.Fatal(err)
		}
		_, style, _ := strings.Cut(string(svg), "<style>")
		style, _, _ = strings.Cut(style, "</style>")
		for _, rule := range strings.Split(strings.TrimSpace(style), "\n") {
			if !strings.Contains(w.Body.String(), rule) {
				t.Errorf("app.css lacks a rule of the graph: %s", rule)
			}
		}
	}
	if w := s.get("/assets/0/nothing"); w.Code != 404 {
		t.Errorf("an asset that is not there: %d", w.Code)
	}
}

// TestGraphStyle: a graph looks in a page as it does by itself. A page holds no
// style, so the style sheet has that of the drawing.
func TestGraphStyle(t *testing.T) {
	s := newSite(t, lively(t))
	svg := s.get("/v1/workflows/orders/graph.svg").Body.String()
	_, style, _ := strings.Cut(svg, "<style>")
	style, _, found := strings.Cut(style, "</style>")
	link := byTag(parse(t, s.get("/runs")), "link", "stylesheet")
	if sheet := s.get(link).Body.String(); !found || !strings.Contains(sheet, strings.TrimSpace(style)) {
		t.Errorf("%s lacks the style of the drawing; copy it there from workflow/graph_svg.go:\n%s", link, style)
	}
}

// byTag is where the first element of a name and rel leads.
func byTag(page *html.Node, name, rel string) string {
	for n := range page.Descendants() {
		if n.Type == html.ElementNode && n.Data == name && attr(n, "rel") == rel {
			return attr(n, "href")
		}
	}
	return ""
}
