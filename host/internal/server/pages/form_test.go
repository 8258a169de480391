package pages_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"wasmhost/host/event"
)

// TestStart: what is typed becomes the input; what is wrong is said at its field,
// and nothing that was typed is lost.
func TestStart(t *testing.T) {
	good := url.Values{"in.customer": {"Ada"}, "in.quantity": {"3"}, "in.channel": {`"web"`}, "in.lines": {`[{"sku":"A-1","n":2}]`}, "in.kind": {`"order"`}, "in.address.city": {""}}
	with := func(pairs ...string) url.Values {
		v := url.Values{}
		for name, values := range good {
			v[name] = values
		}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	for _, c := range []struct {
		name  string
		form  url.Values
		fails error
		input string // "" : nothing was started
		shows []string
	}{
		{name: "all right", form: with(), input: `{"channel":"web","customer":"Ada","express":false,"kind":"order","lines":[{"n":2,"sku":"A-1"}],"quantity":3}`, shows: []string{"The run was started."}},
		{name: "everything given", form: with("in.express", "true", "in.channel", "7", "in.discount", "0.10", "in.gift", "false", "in.address.city", "Husum", "in.address.street", "Markt 1", "in.address.geo", `{"lat": 54.40}`, "in.note", "two\r\nlines", "run_id", "mine"),
			input: `{"address":{"city":"Husum","geo":{"lat":54.40},"street":"Markt 1"},"channel":7,"customer":"Ada","discount":0.10,"express":true,"gift":false,"kind":"order","lines":[{"n":2,"sku":"A-1"}],"note":"two\nlines","quantity":3}`, shows: []string{"mine"}},
		{name: "digits are kept", form: with("in.discount", "12345678901234567890.10"), input: "12345678901234567890.10"},
		{name: "not filled in", form: url.Values{"in.quantity": {"many"}, "in.lines": {"[1,"}, "in.discount": {"1,5"}, "in.note": {"keep <this>"}, "in.channel": {`"fax"`}, "in.address.street": {"Markt 1"}},
			shows: []string{"the input is not right yet", "Customer is needed", "quantity must be a whole number", "lines is no JSON", "discount must be a number", "channel must be one of those", "city is needed", "keep <this>"}},
		{name: "the service says where", form: with("in.quantity", "5000"), fails: refused("invalid_input", `the input of workflow "orders": quantity must be at most 1000`), shows: []string{"The run was not started", "quantity must be at most 1000"}},
		{name: "the service says where inside", form: with("in.address.city", "x"), fails: refused("invalid_input", `the input of workflow "orders": address.city has 1 characters, at least 2 are needed`), shows: []string{"city has 1 characters, at least 2"}},
		{name: "a conflict of run ids", form: with("run_id", "archive-1"), fails: refused("run_conflict", "run archive-1 is of another workflow"), shows: []string{"run archive-1 is of another workflow"}},
		{name: "stopping", form: with(), fails: refused("stopping", "the server is stopping"), shows: []string{"The run was not started: the server is stopping"}},
		{name: "as JSON", form: url.Values{"as": {"json"}, "in": {`{"customer":"Bo","quantity":2}`}}, input: `{"customer":"Bo","quantity":2}`},
		{name: "as bad JSON", form: url.Values{"as": {"json"}, "in": {`{"customer":`}}, shows: []string{"Input is no JSON", `{"customer":`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := lively(t)
			m.fails["Start"] = c.fails
			w := newSite(t, m).post("/workflows/orders", c.form.Encode())
			page := parse(t, w)
			shown := text(page)
			for _, want := range c.shows {
				if !strings.Contains(shown, want) {
					t.Errorf("the page does not show %q (%d):\n%s", want, w.Code, cutTo(shown, 2500))
				}
			}
			if c.input == "" {
				if len(m.began) > 0 {
					t.Errorf("started with %s", m.began[0].Input)
				}
				if w.Code != 422 {
					t.Errorf("status %d", w.Code)
				}
				for name, typed := range c.form {
					for n := range page.Descendants() {
						if attr(n, "name") == name && n.Data == "input" && attr(n, "type") != "checkbox" && attr(n, "type") != "hidden" && attr(n, "value") != typed[0] {
							t.Errorf("%s has lost what was typed: %q, was %q", name, attr(n, "value"), typed[0])
						}
					}
				}
				checkMarkup(t, "the form", page)
				return
			}
			if len(m.began) != 1 || !m.began[0].HasInput {
				t.Fatalf("not started (%d): %s", w.Code, cutTo(shown, 1500))
			}
			if got := m.began[0].Input.String(); got != c.input && !(len(c.input) < 40 && strings.Contains(got, c.input)) {
				t.Errorf("input %s\nwant  %s", got, c.input)
			}
		})
	}
}

// TestSchemas: a form for every sort of schema, and what an untouched one gives.
func TestSchemas(t *testing.T) {
	text := event.Text("The ferry left.")
	for _, c := range []struct {
		name, schema string
		given        *event.Value
		field        string // name of the first field, and the value typed into it
		typed        string
		input        string // "-": no input
	}{
		{"none", "", nil, "in", "", "-"},
		{"none, and a default", "", &text, "in", `"The ferry left."`, `"The ferry left."`},
		{"a text", `{"type":"string","minLength":1}`, &text, "in", "The ferry left.", `"The ferry left."`},
		{"a number", `{"type":"number"}`, nil, "in", "1.50", "1.50"},
		{"a choice", `{"enum":["a","b"]}`, nil, "in", `"b"`, `"b"`},
		{"a list", `{"type":"array"}`, nil, "in", "[1, 2]", "[1,2]"},
		{"an object of anything", `{"type":"object"}`, nil, "in", `{"a":1}`, `{"a":1}`},
		{"alternatives", `{"anyOf":[{"type":"string"},{"type":"number"}]}`, nil, "in", "5", "5"},
		{"true", `true`, nil, "in", "5", "5"},
		{"nonsense", `{"type":5,"properties":[]}`, nil, "in", "5", "5"},
		{"nullable", `{"type":"object","properties":{"x":{"type":["string","null"]}}}`, nil, "in.x", "y", `{"x":"y"}`},
		{"anything inside", `{"type":"object","properties":{"x":true}}`, nil, "in.x", `{"y": 1}`, `{"x":{"y":1}}`},
		{"a default of the schema", `{"type":"object","default":{"x":"given"},"properties":{"x":{"type":"string"}}}`, nil, "in.x", "given", `{"x":"given"}`},
		{"a name with markup", `{"type":"object","properties":{"<b>":{"type":"string"}}}`, nil, "in.<b>", "v", `{"<b>":"v"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := lively(t)
			m.workflows[1].InputSchema, m.workflows[1].Default = json.RawMessage(c.schema), c.given
			s := newSite(t, m)
			page := parse(t, s.get("/workflows/orders"))
			checkMarkup(t, c.name, page)
			found := false
			for n := range page.Descendants() {
				found = found || attr(n, "name") == c.field
			}
			if !found {
				t.Fatalf("no field %s", c.field)
			}
			w := s.post("/workflows/orders", url.Values{c.field: {c.typed}}.Encode())
			if len(m.began) != 1 {
				t.Fatalf("not started: %d", w.Code)
			}
			got := "-"
			if m.began[0].HasInput {
				v, err := event.Parse(m.began[0].Input.JSON())
				if err != nil {
					t.Fatal(err)
				}
				got = string(event.Of(v.Any()).JSON())
			}
			if got != c.input {
				t.Errorf("input %s, want %s", got, c.input)
			}
		})
	}
}
