package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestFromOutput(t *testing.T) {
	for _, c := range []struct {
		name, out string
		json      string // of the value
		str       string
		isStr     bool
	}{
		{"empty", "", `""`, "", true},
		{"text", "hello", `"hello"`, "hello", true},
		{"text that begins like JSON", "{not json", `"{not json"`, "{not json", true},
		{"text that is a word of JSON and more", "true story", `"true story"`, "true story", true},
		{"text with quotes and markup", `<a href="x">`, `"<a href=\"x\">"`, `<a href="x">`, true},
		{"an object", `{"a":1}`, `{"a":1}`, "", false},
		{"white space around", " [1, 2]\n", `[1, 2]`, "", false},
		{"a JSON string", `"x\u00e9"`, `"x\u00e9"`, "xé", true},
		{"digits are kept", "12345678901234567890.10", "12345678901234567890.10", "", false},
		{"negative", "-1", "-1", "", false},
		{"null", "null", "null", "", false},
		{"two values are text", "1 2", `"1 2"`, "1 2", true},
		{"a NUL", "a\x00b", `"a\u0000b"`, "a\x00b", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := FromOutput([]byte(c.out))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(v.JSON()); got != c.json {
				t.Errorf("JSON %s, want %s", got, c.json)
			}
			if s, ok := v.Str(); s != c.str || ok != c.isStr {
				t.Errorf("Str %q %v, want %q %v", s, ok, c.str, c.isStr)
			}
			want := c.json
			if c.isStr {
				want = c.str
			}
			if got := string(v.Bytes()); got != want {
				t.Errorf("a plugin is given %q, want %q", got, want)
			}
			if v.IsNull() != (c.json == "null") {
				t.Errorf("IsNull %v", v.IsNull())
			}
		})
	}
	if _, err := FromOutput([]byte("\xff\xfe")); !errors.Is(err, ErrNotUTF8) {
		t.Errorf("bytes that are no text: %v", err)
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"n": 1.10, "s": "x"}`, `{"n":1.10,"s":"x"}`},
		{" [1e400, -0] ", "[1e400,-0]"},
		{"null", "null"},
		{"\"a\"\n", `"a"`},
	} {
		v, err := Parse([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
		} else if got := string(v.JSON()); got != c.want {
			t.Errorf("%s became %s, want %s", c.text, got, c.want)
		}
	}
	for _, c := range []struct{ text, want string }{
		{"", "EOF"},
		{"{", "unexpected EOF"},
		{"1 2", "more text after the JSON value, at byte 1"},
		{"{}}", "more text after the JSON value, at byte 2"},
		{"[1]]", "more text after the JSON value, at byte 3"},
		{"[1],", "more text after the JSON value, at byte 3"},
		{"{a:1}", "invalid character"},
	} {
		if v, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q gave %s and error %v, want %q", c.text, v.JSON(), err, c.want)
		}
	}
}

func TestPutTogether(t *testing.T) {
	raw := Raw([]byte(`{"n": 1.10}`))
	list := List([]Value{raw, Null, Text("x\"y")})
	object := Object(map[string]Value{"b": list, "a<": Of(json.Number("2")), "": Null})
	if got, want := string(object.JSON()), `{"":null,"a<":2,"b":[{"n": 1.10},null,"x\"y"]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	want := map[string]any{"": nil, "a<": json.Number("2"), "b": []any{map[string]any{"n": json.Number("1.10")}, nil, `x"y`}}
	if got := object.Any(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := string(List(nil).JSON()) + string(Object(nil).JSON()); got != "[]{}" {
		t.Errorf("empty ones are %s", got)
	}
	if _, ok := list.Str(); ok || list.IsNull() || List(nil).IsNull() {
		t.Error("a list is neither a string nor null")
	}
}

func TestString(t *testing.T) {
	for want, v := range map[string]Value{"x": Text("x"), "null": Null, "[1]": Of([]any{1}), `{"a":true}`: Raw([]byte(`{"a":true}`)), "1.50": Of(json.Number("1.50"))} {
		if got := v.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	in := `{"a":{"x": 1.0},"b":"text","c":null}`
	var m map[string]Value
	if err := json.Unmarshal([]byte(in), &m); err != nil {
		t.Fatal(err)
	}
	if string(m["a"].JSON()) != `{"x": 1.0}` || m["b"].String() != "text" || !m["c"].IsNull() {
		t.Errorf("%s %s %s", m["a"], m["b"], m["c"])
	}
	out, err := json.Marshal(m)
	if err != nil || string(out) != `{"a":{"x":1.0},"b":"text","c":null}` {
		t.Errorf("%s, %v", out, err)
	}
}

// TestConcurrency: values are asked for all their forms by many at once.
func TestConcurrency(t *testing.T) {
	for _, v := range []Value{Text("a"), Raw([]byte(`{"a":[1,2]}`)), Of(map[string]any{"a": "b"}), List([]Value{Text("x"), Raw([]byte("1"))}), Null} {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				v.Any()
				v.JSON()
				v.Bytes()
				v.Str()
				v.IsNull()
				_ = v.String()
				List([]Value{v, v}).JSON()
			})
		}
		wg.Wait()
	}
}

// TestForms: whatever form a value came in, all its forms say the same.
func TestForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		decoded := genJSON(3).Draw(t, "value")
		v := Of(decoded)
		text := v.JSON()
		if !json.Valid(text) {
			t.Fatalf("no JSON: %s", text)
		}
		again, err := Parse(text)
		if err != nil || !reflect.DeepEqual(again.Any(), decoded) {
			t.Fatalf("%s came back as %v (%v)", text, again.Any(), err)
		}
		raw := Raw(bytes.Clone(text))
		a, aOK := v.Str()
		b, bOK := raw.Str()
		if a != b || aOK != bOK || v.IsNull() != raw.IsNull() || !bytes.Equal(v.Bytes(), raw.Bytes()) || v.String() != raw.String() {
			t.Fatalf("%s is not the same as raw", text)
		}
		if got := apart(v); !bytes.Equal(got.JSON(), text) || !reflect.DeepEqual(got.Any(), decoded) {
			t.Fatalf("taken apart and put together: %s, want %s", got.JSON(), text)
		}
	})
}

// apart takes a value to pieces and puts it together again.
func apart(v Value) Value {
	switch a := v.Any().(type) {
	case []any:
		list := make([]Value, len(a))
		for i := range a {
			list[i] = apart(Of(a[i]))
		}
		return List(list)
	case map[string]any:
		object := map[string]Value{}
		for name := range a {
			object[name] = apart(Of(a[name]))
		}
		return Object(object)
	}
	return v
}

func genJSON(depth int) *rapid.Generator[any] {
	leaf := rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.String(), func(s string) any { return strings.ToValidUTF8(s, "?") }),
		rapid.Map(rapid.Int64(), func(n int64) any { b, _ := json.Marshal(n); return json.Number(b) }))
	if depth == 0 {
		return leaf
	}
	return rapid.OneOf(leaf,
		rapid.Map(rapid.SliceOfN(genJSON(depth-1), 0, 4), func(l []any) any { return append([]any{}, l...) }),
		rapid.Map(rapid.MapOfN(rapid.StringMatching(`[a-z"<é]{0,3}`), genJSON(depth-1), 0, 4), func(m map[string]any) any { return m }))
}

func FuzzFromOutput(f *testing.F) {
	for _, s := range []string{"", "x", `{"a":1}`, "[1", "\xff", `"\ud800"`, " null ", "-", "1e5"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		v, err := FromOutput(out)
		if err != nil {
			return
		}
		if !json.Valid(v.JSON()) {
			t.Fatalf("%q became %s", out, v.JSON())
		}
		if s, ok := v.Str(); !ok && s != "" {
			t.Fatal("a text that is none")
		}
		if _, err := Parse(v.JSON()); err != nil {
			t.Fatalf("%s cannot be read again: %v", v.JSON(), err)
		}
	})
}
