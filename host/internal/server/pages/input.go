package pages

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"

	"wasmhost/host/event"
)

var (
	wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	anyNumber   = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
)

// read takes what was typed into the fields, and gives the value that they stand
// for. Fields keep what was typed, and say what is wrong with it; ok is false
// when one does. Given is false when nothing was typed at all.
func readFields(fields []field, typed url.Values) (value event.Value, given, ok bool) {
	if len(fields) == 1 && fields[0].Path == "" {
		value, given = fields[0].read(typed)
		return value, given, fields[0].Error == ""
	}
	object := map[string]event.Value{}
	ok = true
	for i := range fields {
		f := &fields[i]
		v, has := f.read(typed)
		if f.broken() {
			ok = false
		}
		if has {
			object[f.Path] = v
		}
	}
	return event.Object(object), true, ok
}

// broken reports whether the field or one in it has an error.
func (f *field) broken() bool {
	for i := range f.Fields {
		if f.Fields[i].broken() {
			return true
		}
	}
	return f.Error != ""
}

// read takes what was typed into one field.
func (f *field) read(typed url.Values) (v event.Value, given bool) {
	if f.Kind == "group" {
		return f.readGroup(typed)
	}
	f.Value = strings.ReplaceAll(typed.Get(f.Name), "\r\n", "\n")
	text := strings.TrimSpace(f.Value)
	switch f.Kind {
	case "bool":
		if f.Value != "true" {
			f.Value = "false"
		}
		return event.Raw([]byte(f.Value)), true
	case "choice":
		known := false
		for i := range f.Options {
			f.Options[i].On = f.Options[i].Value == f.Value
			known = known || f.Options[i].On
		}
		if !known {
			f.Error = "must be one of those in the list"
			return v, false
		}
	case "fixed":
		return event.Raw([]byte(f.Value)), json.Valid([]byte(f.Value))
	}
	if text == "" {
		if f.Required && (f.Kind != "text" && f.Kind != "long" || f.least > 0 || f.Value == "") {
			f.Error = "is needed"
			return v, false
		}
		if f.Kind != "text" && f.Kind != "long" || f.Value == "" {
			return v, false
		}
	}
	switch f.Kind {
	case "text", "long":
		return event.Text(f.Value), true
	case "integer":
		if !wholeNumber.MatchString(text) {
			f.Error = "must be a whole number"
			return v, false
		}
		return event.Raw([]byte(text)), true
	case "number":
		if !anyNumber.MatchString(text) {
			f.Error = "must be a number, such as 12 or 0.5"
			return v, false
		}
		return event.Raw([]byte(text)), true
	}
	parsed, err := event.Parse([]byte(text))
	if err != nil {
		f.Error = "is no JSON: " + err.Error()
		return v, false
	}
	return parsed, true
}

func (f *field) readGroup(typed url.Values) (event.Value, bool) {
	object := map[string]event.Value{}
	touched := f.Required
	for i := range f.Fields {
		inner := &f.Fields[i]
		v, has := inner.read(typed)
		if has {
			_, name, _ := strings.Cut(inner.Path, ".")
			object[name] = v
			// A box that is not ticked does not say that the group was meant.
			touched = touched || inner.Kind != "bool" && inner.Kind != "fixed" || inner.Value == "true"
		}
	}
	if !touched {
		for i := range f.Fields {
			f.Fields[i].Error = "" // nothing of it was given, and nothing had to be
		}
	}
	return event.Object(object), touched
}

// blame puts what the service says about the input at the field it speaks of; it
// names the longest path that occurs. False: it speaks of none of them.
func blame(fields []field, message string) bool {
	var best *field
	end := 0
	var look func(fields []field)
	look = func(fields []field) {
		for i := range fields {
			f := &fields[i]
			if at, to := mention(message, f.Path); at && (best == nil || len(f.Path) > len(best.Path)) {
				best, end = f, to
			}
			look(f.Fields)
		}
	}
	look(fields)
	if best == nil {
		return false
	}
	for best.Kind == "group" && len(best.Fields) > 0 { // a group has no field of its own
		best = &best.Fields[0]
	}
	best.Error = strings.TrimSpace(message[end:])
	return true
}

// mention reports whether a message speaks of a path, and where what it says
// about it begins.
func mention(message, path string) (bool, int) {
	if path == "" {
		return false, 0
	}
	for from := 0; ; {
		i := strings.Index(message[from:], path)
		if i < 0 {
			return false, 0
		}
		i += from
		end := i + len(path)
		before := i == 0 || strings.IndexByte(" :\"(", message[i-1]) >= 0
		after := end < len(message) && strings.IndexByte(" [.\"", message[end]) >= 0
		if before && after {
			if message[end] == ' ' || message[end] == '"' {
				return true, end + 1
			}
			return true, i // the place inside it is part of what is said
		}
		from = end
	}
}
