package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"unicode/utf8"
)

// Value is one JSON value, kept in the form in which it came and turned into
// the others when somebody asks, so that a payload that only passes through is
// neither parsed nor copied and its numbers keep their digits. The zero Value
// is null. Values are immutable and safe for concurrent use; what Any returns
// must not be changed.
type Value struct{ v *value }

type value struct {
	// text is set for a value that came as plain text: a JSON string.
	text   string
	isText bool
	raw    atomic.Pointer[[]byte]
	any    atomic.Pointer[any]
}

// Null is the JSON value null.
var Null Value

// Text returns the JSON string s.
func Text(s string) Value { return Value{&value{text: s, isText: true}} }

// Of returns v as a Value. v is what Decode gives: nil, bool, string,
// json.Number (or a Go number), []any or map[string]any; it is not copied.
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
func Raw(text []byte) Value {
	n := &value{}
	n.raw.Store(&text)
	return Value{n}
}

// ErrNotUTF8 is returned for bytes that are no text at all.
var ErrNotUTF8 = errors.New("not valid UTF-8")

// FromOutput reads what a plugin wrote: JSON where it is valid JSON, else a
// JSON string. Bytes that are not UTF-8 are ErrNotUTF8.
func FromOutput(out []byte) (Value, error) {
	if !utf8.Valid(out) {
		return Value{}, ErrNotUTF8
	}
	trimmed := bytes.TrimSpace(out)
	if len(trimmed) > 0 && mayBeJSON(trimmed[0]) && json.Valid(trimmed) {
		return Raw(trimmed), nil
	}
	return Text(string(out)), nil
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
	if d.More() {
		return nil, fmt.Errorf("more text after the JSON value, at byte %d", d.InputOffset())
	}
	return v, nil
}

// IsNull reports whether the value is null.
func (v Value) IsNull() bool {
	if v.v == nil {
		return true
	}
	if raw := v.v.raw.Load(); raw != nil {
		return string(*raw) == "null"
	}
	return false
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
	a, err := decode(*v.v.raw.Load())
	if err != nil { // Raw was promised valid JSON
		panic(fmt.Sprintf("event: invalid JSON in a Value: %v", err))
	}
	v.v.any.Store(&a)
	return a
}

// JSON returns the value as JSON text, which must not be changed.
func (v Value) JSON() []byte {
	if v.v == nil {
		return []byte("null")
	}
	if raw := v.v.raw.Load(); raw != nil {
		return *raw
	}
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v.Any()); err != nil {
		panic(fmt.Sprintf("event: a Value that is not JSON: %v", err))
	}
	raw := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	v.v.raw.Store(&raw)
	return raw
}

// Bytes returns what a plugin is given: a string as raw text, anything else as
// JSON. The bytes must not be changed.
func (v Value) Bytes() []byte {
	if s, ok := v.Str(); ok {
		return []byte(s)
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
	if raw := v.v.raw.Load(); raw != nil && (len(*raw) == 0 || (*raw)[0] != '"') {
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
