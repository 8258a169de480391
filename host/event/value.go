package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"unicode/utf8"
	"unsafe"
)

// Value is one JSON value, kept in the form in which it came and turned into
// the others when somebody asks, so that a payload that only passes through is
// neither parsed nor copied and its numbers keep their digits. The zero Value
// is null. Values are immutable and safe for concurrent use; what Any returns
// must not be changed.
type Value struct{ v *value }

// value is one of: text that came as plain text, raw JSON, parts, or what Any
// returns. The other forms are added when somebody asks.
type value struct {
	isText bool
	text   string
	given  []byte // raw JSON as it came
	parts  *parts
	raw    atomic.Pointer[[]byte] // raw JSON that was made
	any    atomic.Pointer[any]
}

// parts are values that were put together.
type parts struct {
	list   []Value // when object is nil
	object map[string]Value
}

// Null is the JSON value null.
var Null Value

// Text returns the JSON string s.
func Text(s string) Value { return Value{&value{text: s, isText: true}} }

// List returns the list of values, without looking into them. The slice is not
// copied.
func List(values []Value) Value { return Value{&value{parts: &parts{list: values}}} }

// Object returns the object with those fields, without looking into them. The
// map is not copied.
func Object(fields map[string]Value) Value {
	if fields == nil {
		fields = map[string]Value{}
	}
	return Value{&value{parts: &parts{object: fields}}}
}

// Of returns v as a Value. v is what Any gives: nil, bool, string, json.Number
// (or a Go number), []any or map[string]any; it is not copied.
func Of(v any) Value {
	switch v := v.(type) {
	case nil:
		return Value{}
	case Value:
		return v
	case string:
		return Text(v)
	}
	n := &value{}
	n.any.Store(&v)
	return Value{n}
}

// Raw returns the value of JSON text that is known to be valid.
func Raw(text []byte) Value { return Value{&value{given: text}} }

// ErrNotUTF8 is returned for bytes that are no text at all.
var ErrNotUTF8 = errors.New("not valid UTF-8")

// FromOutput reads what a plugin wrote: JSON where it is valid JSON, else a
// JSON string. Bytes that are not UTF-8 are ErrNotUTF8. The value is made of
// out itself, which must not be changed any more.
func FromOutput(out []byte) (Value, error) {
	if !utf8.Valid(out) {
		return Value{}, ErrNotUTF8
	}
	trimmed := bytes.TrimSpace(out)
	if len(trimmed) > 0 && mayBeJSON(trimmed[0]) && json.Valid(trimmed) {
		return Raw(trimmed), nil
	}
	// A copy of every text that goes through a node would cost more than its call.
	return Text(unsafe.String(unsafe.SliceData(out), len(out))), nil
}

// mayBeJSON keeps ordinary text from being scanned as JSON.
func mayBeJSON(c byte) bool {
	switch c {
	case '{', '[', '"', 't', 'f', 'n', '-':
		return true
	}
	return '0' <= c && c <= '9'
}

// Parse reads JSON text, strictly.
func Parse(text []byte) (Value, error) {
	v, err := decode(text)
	if err != nil {
		return Value{}, err
	}
	return Of(v), nil
}

func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	end := d.InputOffset()
	// Not d.More, which takes a closing bracket for an end.
	if len(bytes.TrimSpace(text[end:])) > 0 {
		return nil, fmt.Errorf("more text after the JSON value, at byte %d", end)
	}
	return v, nil
}

// IsNull reports whether the value is null.
func (v Value) IsNull() bool {
	return v.v == nil || v.v.given != nil && string(bytes.TrimSpace(v.v.given)) == "null"
}

// Any returns the value as decoded JSON: nil, bool, string, json.Number,
// []any or map[string]any.
func (v Value) Any() any {
	if v.v == nil {
		return nil
	}
	if v.v.isText {
		return v.v.text
	}
	if a := v.v.any.Load(); a != nil {
		return *a
	}
	var a any
	if v.v.parts != nil {
		a = v.v.parts.any()
	} else {
		var err error
		if a, err = decode(v.v.given); err != nil { // Raw was promised valid JSON
			panic(fmt.Sprintf("event: invalid JSON in a Value: %v", err))
		}
	}
	v.v.any.Store(&a)
	return a
}

func (p *parts) any() any {
	if p.object == nil {
		list := make([]any, len(p.list))
		for i, v := range p.list {
			list[i] = v.Any()
		}
		return list
	}
	object := make(map[string]any, len(p.object))
	for name, v := range p.object {
		object[name] = v.Any()
	}
	return object
}

// JSON returns the value as JSON text, which must not be changed.
func (v Value) JSON() []byte {
	if v.v == nil {
		return []byte("null")
	}
	if v.v.given != nil {
		return v.v.given
	}
	if raw := v.v.raw.Load(); raw != nil {
		return *raw
	}
	var raw []byte
	if v.v.parts != nil {
		raw = v.v.parts.json()
	} else {
		raw = encode(v.Any())
	}
	v.v.raw.Store(&raw)
	return raw
}

func (p *parts) json() []byte {
	if p.object == nil {
		out := []byte{'['}
		for i, v := range p.list {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, v.JSON()...)
		}
		return append(out, ']')
	}
	out := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(p.object)) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, encode(name)...)
		out = append(out, ':')
		out = append(out, p.object[name].JSON()...)
	}
	return append(out, '}')
}

func encode(v any) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("event: a Value that is not JSON: %v", err))
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// Bytes returns what a plugin is given: a string as raw text, anything else as
// JSON. The bytes must not be changed.
func (v Value) Bytes() []byte {
	if s, ok := v.Str(); ok {
		return unsafe.Slice(unsafe.StringData(s), len(s))
	}
	return v.JSON()
}

// Str returns the string that the value is, if it is one.
func (v Value) Str() (string, bool) {
	if v.v == nil {
		return "", false
	}
	if v.v.isText {
		return v.v.text, true
	}
	if v.v.parts != nil || v.v.given != nil && bytes.TrimSpace(v.v.given)[0] != '"' {
		return "", false
	}
	s, ok := v.Any().(string)
	return s, ok
}

// MarshalJSON returns the value itself.
func (v Value) MarshalJSON() ([]byte, error) { return v.JSON(), nil }

// UnmarshalJSON keeps the text.
func (v *Value) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*v = Value{}
		return nil
	}
	*v = Raw(bytes.Clone(text))
	return nil
}

// String returns the value as a person reads it: a string raw, anything else
// as JSON.
func (v Value) String() string {
	if s, ok := v.Str(); ok {
		return s
	}
	return string(v.JSON())
}
