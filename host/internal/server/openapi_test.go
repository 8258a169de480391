package server

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

var description = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background())
})

func described(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := description()
	if err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	return doc
}

// pathOf is the path of a pattern as openapi.yaml has it.
func pathOf(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	return method, strings.ReplaceAll(path, "...}", "}")
}

// Every route of the server is described, with its scope, its limit of a body and
// its parameters; nothing else is.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	doc := described(t)
	s := serve(t, nil)
	found := 0
	for pattern, route := range s.routes {
		method, path := pathOf(pattern)
		item := doc.Paths.Value(path)
		if item == nil || item.GetOperation(method) == nil {
			t.Errorf("%s is not described", pattern)
			continue
		}
		found++
		op := item.GetOperation(method)
		if scope, _ := op.Extensions["x-scope"].(string); scope != string(route.scope) {
			t.Errorf("%s: x-scope is %q, the server asks for %q", pattern, scope, route.scope)
		}
		if public := op.Security != nil && len(*op.Security) == 0; public != (route.scope == Public) {
			t.Errorf("%s: described as public: %t", pattern, public)
		}
		if takes := op.RequestBody != nil; takes && route.limit == 0 {
			t.Errorf("%s: a body is described, and none is taken", pattern)
		}
		var query []string
		for _, p := range op.Parameters {
			if p.Value.In == "query" {
				query = append(query, p.Value.Name)
			}
		}
		want := slices.Clone(route.query)
		slices.Sort(query)
		slices.Sort(want)
		if !slices.Equal(query, want) {
			t.Errorf("%s: parameters %v are described, the server takes %v", pattern, query, want)
		}
		if op.Responses.Default() == nil || op.Summary == "" || op.OperationID == "" {
			t.Errorf("%s: no summary, operationId or problem", pattern)
		}
	}
	all := 0
	for _, path := range doc.Paths.InMatchingOrder() {
		all += len(doc.Paths.Value(path).Operations())
	}
	if all != found {
		t.Errorf("%d operations are described, %d are routes", all, found)
	}
	if a := s.do("GET", "/openapi.yaml", "", "Authorization", ""); !bytes.Equal(a.body, OpenAPI) {
		t.Error("GET /openapi.yaml answers something else")
	}
}

var wildcard = regexp.MustCompile(`\{([a-z]+)(\.\.\.)?\}`)

// conforms checks an exchange against openapi.yaml: an answer always, and a
// request that was taken is one that is described.
func (s *served) conforms(r *http.Request, body string, a answer) {
	s.t.Helper()
	doc := described(s.t)
	r = r.Clone(context.Background())
	_, pattern := s.mux.Handler(r)
	route := s.routes[pattern]
	if route == nil || route.page != nil {
		return
	}
	method, path := pathOf(pattern)
	item := doc.Paths.Value(path)
	_, raw, _ := strings.Cut(pattern, " ")
	names := wildcard.FindAllStringSubmatch(raw, -1)
	match := regexp.MustCompile("^" + wildcard.ReplaceAllString(raw, "(.*)") + "$").FindStringSubmatch(r.URL.Path)
	params := map[string]string{}
	for i, n := range names {
		if match != nil {
			params[n[1]] = match[i+1]
		}
	}
	r.Body = io.NopCloser(strings.NewReader(body))
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params,
		Route:   &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: item.GetOperation(method)},
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, MultiError: true, ExcludeRequestBody: route.before != nil || body == "" || !strings.Contains(r.Header.Get("Content-Type"), "json")}}
	if a.status < 400 {
		if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
			s.t.Errorf("%s %s was taken, and is not as described: %v", r.Method, r.URL, err)
		}
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: a.status, Header: a.header, Options: in.Options}
	if !strings.Contains(a.header.Get("Content-Type"), "json") {
		options := *in.Options
		options.ExcludeResponseBody = true
		out.Options = &options
	}
	out.SetBodyBytes(a.body)
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		s.t.Errorf("the answer to %s %s (%d) is not as described: %v\n%s", r.Method, r.URL, a.status, err, a.body)
	}
}
