package pluginsdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
)

// Read reads an input like [Run] does, but refuses keys that In does not have,
// and names those that it has: for handlers that take raw bytes because their
// input may be text or an object.
func Read[In any](input []byte) (in In, err error) {
	d := json.NewDecoder(bytes.NewReader(input))
	d.DisallowUnknownFields()
	err = d.Decode(&in)
	if end := d.InputOffset(); err == nil && d.More() {
		return in, Permanent("bad_input", "the input goes on after its JSON value, at byte "+strconv.FormatInt(end, 10))
	}
	if err == nil {
		return in, nil
	}
	// The decoder has no error type for an unknown key.
	if key, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		message := "the input has an unknown " + key
		if known := keys(reflect.TypeFor[In]()); len(known) > 0 {
			message += "; known are " + strings.Join(known, ", ")
		}
		return in, Permanent("bad_input", message).Because(err)
	}
	return in, badInput(err)
}

// keys are the top keys of a struct, in its order.
func keys(t reflect.Type) []string {
	if t.Kind() != reflect.Struct {
		return nil
	}
	var list []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		if name != "-" && f.IsExported() {
			list = append(list, name)
		}
	}
	return list
}

func decode[In any](input []byte) (in In, err error) {
	switch p := any(&in).(type) {
	case *string:
		*p = string(input)
	case *[]byte:
		*p = input
	case *json.RawMessage:
		*p = input
	default:
		if len(input) == 0 {
			return in, nil
		}
		if err := json.Unmarshal(input, p); err != nil {
			return in, badInput(err)
		}
	}
	return in, nil
}

// badInput says in the words of the caller, who knows JSON and not this
// plugin's types, what is wrong with an input.
func badInput(err error) *Error {
	message := "the input: " + strings.TrimPrefix(err.Error(), "json: ")
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind):
		what := "the input"
		if kind.Field != "" {
			what += "'s " + strconv.Quote(kind.Field)
		}
		message = what + " is " + article(kind.Value) + ", not " + article(jsonKind(kind.Type))
	case errors.As(err, &syntax):
		message = "the input is no JSON: " + syntax.Error() + ", at byte " + strconv.FormatInt(syntax.Offset, 10)
	}
	return Permanent("bad_input", message).Because(err)
}

// article puts "a" or "an" before the name of a JSON type.
func article(kind string) string {
	switch {
	case kind == "":
		return "what was expected"
	case kind == "bool":
		return "a boolean"
	case strings.HasPrefix(kind, "number "):
		return "the " + kind // "number 1.5" where a whole one is wanted
	case strings.ContainsRune("aio", rune(kind[0])):
		return "an " + kind
	}
	return "a " + kind
}
