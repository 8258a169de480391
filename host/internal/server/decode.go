package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"wasmhost/host/event"
)

// idPattern is what ids of runs, workflows and tokens look like. Plugins and
// breakers may have the name of their workflow before their own.
var (
	idPattern   = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
	namePattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,512}$`)
)

// isID reports whether an id can be given to something new. One of dots alone
// would be a path that nobody could ask for.
func isID(s string) bool { return idPattern.MatchString(s) && strings.Trim(s, ".") != "" }

// id is a path value that is an id.
func (c *call) id(name string) (string, error) { return pathValue(c.r, name, idPattern) }

// name is a path value that is the name of a plugin or breaker.
func (c *call) name(name string) (string, error) { return pathValue(c.r, name, namePattern) }

func pathValue(r *http.Request, name string, pattern *regexp.Regexp) (string, error) {
	v := r.PathValue(name)
	if !pattern.MatchString(v) || strings.Trim(v, ".") == "" {
		return "", refusal("bad_id", fmt.Sprintf("%q is no %s: it consists of the characters A-Z a-z 0-9 . _ -", shorten(v), name))
	}
	return v, nil
}

// field is one field of a body and what takes it.
type field struct {
	name string
	take func(json.RawMessage) error
}

// decodeObject reads a JSON object, strictly: fields that are not listed, or that
// come twice or in other letters, are refused, as is text that is not UTF-8 or
// that follows the object. encoding/json alone lets all of these pass. An empty
// body is an object without fields.
func decodeObject(body []byte, fields ...field) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if !utf8.Valid(body) {
		return refusal("bad_request", "the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	start, err := d.Token()
	if err != nil {
		return badJSON(err, d)
	}
	if start != json.Delim('{') {
		return refusal("bad_request", "the body is not a JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return badJSON(err, d)
		}
		name, _ := t.(string)
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		switch {
		case i < 0:
			return refusal("bad_request", fmt.Sprintf("the body has a field %q; there is %s", shorten(name), names(fields)))
		case seen[name]:
			return refusal("bad_request", fmt.Sprintf("the body has the field %q twice", name))
		}
		seen[name] = true
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return badJSON(err, d)
		}
		if err := fields[i].take(raw); err != nil {
			return refusal("bad_request", fmt.Sprintf("field %q: %v", name, err))
		}
	}
	if _, err := d.Token(); err != nil {
		return badJSON(err, d)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return refusal("bad_request", fmt.Sprintf("more text after the JSON object, at byte %d", d.InputOffset()))
	}
	return nil
}

func badJSON(err error, d *json.Decoder) error {
	return refusal("bad_request", fmt.Sprintf("the body is no JSON, at byte %d: %v", d.InputOffset(), err))
}

func names(fields []field) string {
	if len(fields) == 0 {
		return "none"
	}
	var all []string
	for _, f := range fields {
		all = append(all, f.name)
	}
	return strings.Join(all, ", ")
}

// into takes a field as a Go value; null is refused.
func into[T string | bool](name string, to *T) field {
	return field{name, func(raw json.RawMessage) error {
		if string(raw) == "null" {
			return fmt.Errorf("it is null; leave it out")
		}
		return json.Unmarshal(raw, to)
	}}
}

// value takes a field as any JSON, null too.
func value(name string, to *event.Value, has *bool) field {
	return field{name, func(raw json.RawMessage) error {
		*has = true
		return to.UnmarshalJSON(raw)
	}}
}

// checkQuery refuses parameters that a route of the API does not know, so that a
// slip is not taken for the default.
func checkQuery(r *http.Request, route *route) error {
	if route.page != nil || r.URL.RawQuery == "" {
		return nil
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return refusal("bad_request", "the query cannot be read: "+err.Error())
	}
	for name, values := range q {
		if !slices.Contains(route.query, name) {
			return refusal("bad_request", fmt.Sprintf("there is no parameter %q here; there is %s", shorten(name), orNone(route.query)))
		}
		if len(values) > 1 && name != "status" {
			return refusal("bad_request", fmt.Sprintf("the parameter %q comes twice", name))
		}
		for _, v := range values {
			if !utf8.ValidString(v) {
				return refusal("bad_request", fmt.Sprintf("the parameter %q is not UTF-8", name))
			}
		}
	}
	return nil
}

func orNone(all []string) string {
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// query reads parameters; the first that is wrong is err.
type query struct {
	values url.Values
	err    error
}

func (c *call) query() *query { return &query{values: c.r.URL.Query()} }

func (q *query) fail(name, want string) {
	if q.err == nil {
		q.err = refusal("bad_request", fmt.Sprintf("parameter %s=%q: %s", name, shorten(q.values.Get(name)), want))
	}
}

func (q *query) number(name string, least, most, otherwise int) int {
	if !q.values.Has(name) {
		return otherwise
	}
	n, err := strconv.Atoi(q.values.Get(name))
	if err != nil || n < least || n > most {
		q.fail(name, fmt.Sprintf("a number from %d to %d", least, most))
		return otherwise
	}
	return n
}

func (q *query) flag(name string) bool {
	switch q.values.Get(name) {
	case "", "false":
		if q.values.Has(name) && q.values.Get(name) == "" {
			q.fail(name, "true or false")
		}
		return false
	case "true":
		return true
	}
	q.fail(name, "true or false")
	return false
}

func (q *query) share(name string) float64 {
	if !q.values.Has(name) {
		return 0
	}
	f, err := strconv.ParseFloat(q.values.Get(name), 64)
	if err != nil || !(f >= 0 && f <= 1) {
		q.fail(name, "a share from 0 to 1")
		return 0
	}
	return f
}

func (q *query) time(name string) time.Time {
	if !q.values.Has(name) {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, q.values.Get(name))
	if err != nil {
		q.fail(name, "a time like 2006-01-02T15:04:05Z")
	}
	return t
}

func (q *query) id(name string) string {
	v := q.values.Get(name)
	if q.values.Has(name) && !idPattern.MatchString(v) {
		q.fail(name, "1 to 128 of the characters A-Z a-z 0-9 . _ -")
	}
	return v
}

// answer writes JSON.
func (c *call) answer(status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("answer of %s: %w", c.route.pattern, err)
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(text)+1))
	c.w.WriteHeader(status)
	// The caller may be gone: what was asked for is done all the same.
	_, _ = c.w.Write(append(text, '\n'))
	return nil
}
