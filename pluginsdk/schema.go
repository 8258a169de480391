package pluginsdk

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

// SchemaOf is the JSON Schema of the values that encoding/json reads into a T.
// Fields without omitempty, omitzero or a pointer are required; a tag
// `doc:"…"` becomes their description. Anything that JSON decodes by code of
// its own, and any interface, is left open. Numbers, texts and lists are not
// bounded: give a schema by hand where that matters.
func SchemaOf[T any]() json.RawMessage {
	s := schemas{defs: map[string]any{}, open: map[reflect.Type]bool{}, looped: map[reflect.Type]bool{}}
	root := s.of(reflect.TypeFor[T]())
	if len(s.defs) > 0 {
		root["$defs"] = s.defs
	}
	text, err := json.Marshal(root)
	if err != nil {
		panic("pluginsdk: a generated schema cannot be written: " + err.Error())
	}
	return text
}

type schemas struct {
	defs   map[string]any
	open   map[reflect.Type]bool // being written
	looped map[reflect.Type]bool // met again while being written
}

var (
	timeType        = reflect.TypeFor[time.Time]()
	unmarshalerType = reflect.TypeFor[json.Unmarshaler]()
)

func (s *schemas) of(t reflect.Type) map[string]any {
	if t.Kind() == reflect.Pointer {
		return s.of(t.Elem())
	}
	switch {
	case t == timeType:
		return map[string]any{"type": "string", "format": "date-time"}
	case reflect.PointerTo(t).Implements(unmarshalerType):
		return map[string]any{}
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		if t.Name() == "" { // a handler's []byte is raw; as a field it is base64
			return map[string]any{"type": "string"}
		}
	}
	switch kind := jsonKind(t); kind {
	case "array":
		return map[string]any{"type": kind, "items": s.of(t.Elem())}
	case "object":
		if t.Kind() == reflect.Map {
			return map[string]any{"type": kind, "additionalProperties": s.of(t.Elem())}
		}
		return s.object(t)
	case "":
		return map[string]any{}
	default:
		return map[string]any{"type": kind}
	}
}

// object writes a struct in place, or, where it contains itself, as a
// definition that it can refer to.
func (s *schemas) object(t reflect.Type) map[string]any {
	ref := map[string]any{"$ref": "#/$defs/" + t.Name()}
	if s.open[t] {
		s.looped[t] = true
		return ref
	}
	s.open[t] = true
	defer delete(s.open, t)
	properties, required := map[string]any{}, []string{}
	s.fields(t, properties, &required)
	schema := map[string]any{"type": "object", "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	if s.looped[t] {
		s.defs[t.Name()] = schema
		return ref
	}
	return schema
}

func (s *schemas) fields(t reflect.Type, properties map[string]any, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		if tag == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		if f.Anonymous && name == "" {
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				s.fields(inner, properties, required)
				continue
			}
		}
		if name == "" {
			name = f.Name
		}
		property := s.of(f.Type)
		if doc := f.Tag.Get("doc"); doc != "" {
			property["description"] = doc
		}
		properties[name] = property
		if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") && f.Type.Kind() != reflect.Pointer {
			*required = append(*required, name)
		}
	}
}

// jsonKind names the JSON type that a Go type is read from; empty for any.
func jsonKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "integer"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Slice, reflect.Array:
		return "array"
	case reflect.Map, reflect.Struct:
		return "object"
	case reflect.Pointer:
		return jsonKind(t.Elem())
	}
	return ""
}
