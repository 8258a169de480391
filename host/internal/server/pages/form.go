package pages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"wasmhost/host/event"
)

// field is a part of a form that is made from a schema.
type field struct {
	Name     string // in the form: "in.city", "in.address.street", "in" for all
	Path     string // in the input: "city", "address.street", "" for all of it
	Label    string
	Help     string
	Kind     string // text, long, number, integer, bool, maybe, choice, fixed, json, group
	Required bool
	Value    string // what is typed, or the default
	Options  []choice
	Fields   []field // of a group
	Hint     string  // what a value looks like
	Error    string

	least int // characters of a text
}

// choice is one of the values of an enum: the JSON of it.
type choice struct {
	Value, Label string
	On           bool
}

// ID is the id of the field's element.
func (f *field) ID() string { return "f-" + strings.ReplaceAll(f.Name, ".", "-") }

// Described names the elements that describe the field.
func (f *field) Described() string {
	var ids []string
	if f.Help != "" || f.Hint != "" {
		ids = append(ids, f.ID()+"-help")
	}
	if f.Error != "" {
		ids = append(ids, f.ID()+"-error")
	}
	return strings.Join(ids, " ")
}

// Rows is how high a field of several lines is.
func (f *field) Rows() int { return min(max(strings.Count(f.Value, "\n")+2, 4), 20) }

// formOf makes the fields for an input, filled with given where the schema's own
// defaults are overruled by what a run without input gets.
func formOf(text json.RawMessage, given *event.Value) []field {
	var s schema
	if len(bytes.TrimSpace(text)) == 0 || string(bytes.TrimSpace(text)) == "null" || json.Unmarshal(text, &s) != nil {
		return []field{wholeInput(given, "The workflow takes any input.")}
	}
	if given == nil && s.Default != nil {
		v := event.Raw(s.Default)
		given = &v
	}
	if s.Type.one() != "object" && len(s.Properties) == 0 || s.Ref != "" || len(s.AnyOf)+len(s.OneOf) > 0 || len(s.Properties) == 0 {
		if k := simple(&s); k != "" && k != "json" {
			f := fieldOf("in", "", "Input", &s, true, raw(given), 0)
			return []field{f}
		}
		return []field{wholeInput(given, s.Description)}
	}
	return fieldsOf("in", "", &s, raw(given), 0)
}

func raw(v *event.Value) json.RawMessage {
	if v == nil {
		return nil
	}
	return v.JSON()
}

// wholeInput is one field for all of an input.
func wholeInput(given *event.Value, help string) field {
	f := field{Name: "in", Label: "Input", Kind: "json", Help: help, Hint: "JSON; a text needs quotes around it"}
	if given != nil {
		f.Value = indented(given.JSON())
	}
	return f
}

// fieldsOf are the fields of an object's properties.
func fieldsOf(name, path string, s *schema, given json.RawMessage, depth int) []field {
	values := map[string]json.RawMessage{}
	_ = json.Unmarshal(given, &values) // not an object: then nothing is filled in
	var out []field
	for _, p := range s.Properties {
		at := p.Name
		if path != "" {
			at = path + "." + p.Name
		}
		v, ok := values[p.Name]
		if !ok {
			v = p.Schema.Default
		}
		out = append(out, fieldOf(name+"."+p.Name, at, p.Name, &p.Schema, slices.Contains(s.Required, p.Name), v, depth))
	}
	return out
}

func fieldOf(name, path, label string, s *schema, required bool, given json.RawMessage, depth int) field {
	f := field{Name: name, Path: path, Label: label, Help: s.Description, Required: required, Kind: simple(s), least: s.MinLength}
	if s.Title != "" {
		f.Label = s.Title
	}
	f.Hint = hint(s)
	switch f.Kind {
	case "group":
		if depth == 0 {
			f.Fields = fieldsOf(name, path, s, given, 1)
			return f
		}
		f.Kind = "json"
	case "choice":
		if !required || given == nil {
			f.Options = append(f.Options, choice{Label: "choose …"})
			if !required {
				f.Options[0].Label = "(not given)"
			}
		}
		for _, e := range s.Enum {
			value := compact(e)
			f.Options = append(f.Options, choice{Value: value, Label: plain(e), On: given != nil && value == compact(given)})
			if given != nil && value == compact(given) {
				f.Value = value
			}
		}
		return f
	case "fixed":
		f.Value = compact(s.Const)
		return f
	case "bool":
		if !required && given == nil {
			f.Kind = "maybe"
		}
	}
	switch {
	case given == nil:
	case f.Kind == "json":
		f.Value = indented(given)
	default:
		f.Value = plain(given)
	}
	return f
}

// simple is the kind of field for a schema, json where none fits.
func simple(s *schema) string {
	if s.Ref != "" || len(s.AnyOf)+len(s.OneOf) > 0 {
		return "json"
	}
	if s.Const != nil {
		return "fixed"
	}
	if len(s.Enum) > 0 {
		return "choice"
	}
	switch s.Type.one() {
	case "string":
		if s.MaxLength > 200 || s.Format == "multiline" {
			return "long"
		}
		return "text"
	case "number":
		return "number"
	case "integer":
		return "integer"
	case "boolean":
		return "bool"
	case "object":
		if len(s.Properties) > 0 {
			return "group"
		}
	}
	return "json"
}

// hint says what a value must look like.
func hint(s *schema) string {
	var parts []string
	switch {
	case s.Minimum != "" && s.Maximum != "":
		parts = append(parts, fmt.Sprintf("from %s to %s", s.Minimum, s.Maximum))
	case s.Minimum != "":
		parts = append(parts, "at least "+s.Minimum.String())
	case s.Maximum != "":
		parts = append(parts, "at most "+s.Maximum.String())
	}
	if s.Format != "" && s.Format != "multiline" {
		parts = append(parts, s.Format)
	}
	switch simple(s) {
	case "integer":
		parts = append(parts, "a whole number")
	case "json":
		if t := s.Type.one(); t == "array" {
			parts = append(parts, "a JSON list: [ … ]")
		} else if t == "object" {
			parts = append(parts, "a JSON object: { … }")
		} else {
			parts = append(parts, "JSON; a text needs quotes around it")
		}
	}
	if len(s.Examples) > 0 {
		parts = append(parts, "for example "+line(plain(s.Examples[0])))
	}
	return strings.Join(parts, ", ")
}

// plain is a value as it is typed into a field: a string without its quotes.
func plain(text json.RawMessage) string {
	var s string
	if json.Unmarshal(text, &s) == nil && len(text) > 0 && bytes.TrimSpace(text)[0] == '"' {
		return s
	}
	return compact(text)
}

func compact(text json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return string(text)
	}
	return b.String()
}

func indented(text json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return string(text)
	}
	return b.String()
}
