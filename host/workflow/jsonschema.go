package workflow

import (
	"bytes"
	"encoding/json"
	"strings"

	"wasmhost/host/event"
)

// JSONSchema is the JSON Schema of workflow files, for editors: made from the
// table that the strict reader reads by. It knows keys, types and forms; names
// that refer to each other, files and expressions are checked by reading only.
func JSONSchema() []byte {
	g := generator{}
	root := append(members{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"title", "A workflow of host"},
	}, g.table(fileShape)...)
	var text bytes.Buffer
	g.write(&text, root, "")
	text.WriteByte('\n')
	return text.Bytes()
}

// member is a key of an object whose order is kept, so that the file reads like
// the grammar and does not change without reason.
type member struct {
	name  string
	value any // members, []any, or a JSON value
}

type members []member

type generator struct{}

// table is the schema of a table.
func (g generator) table(s *shape) members {
	var properties members
	var required []any
	for i := range s.keys {
		k := &s.keys[i]
		p := g.typ(k.typ)
		if k.doc != "" {
			p = append(p, member{"description", k.doc})
		}
		if k.def != nil {
			p = append(p, member{"default", k.def})
		}
		properties = append(properties, member{k.name, p})
		if k.required {
			required = append(required, k.name)
		}
	}
	out := members{{"type", "object"}, {"additionalProperties", false}, {"properties", properties}}
	if required != nil {
		out = append(out, member{"required", required})
	}
	return out
}

// nameSchema is what names of tables look like, see checkName.
var nameSchema = members{{"pattern", `^[A-Za-z0-9_-]{1,128}$`}}

func (g generator) typ(t *typ) members {
	switch t.form {
	case stringForm:
		out := members{{"type", "string"}}
		if t.enum != nil {
			values := make([]any, len(t.enum))
			for i, v := range t.enum {
				values[i] = v
			}
			out = append(out, member{"enum", values})
		}
		if t.pattern != "" {
			out = append(out, member{"pattern", t.pattern})
		}
		return out
	case integerForm, numberForm:
		out := members{{"type", map[bool]string{true: "integer", false: "number"}[t.form == integerForm]}}
		if t.min == t.max {
			return members{{"const", t.min}}
		}
		lower := "minimum"
		if t.above {
			lower = "exclusiveMinimum"
		}
		out = append(out, member{lower, t.min})
		if t.max < 1<<53 {
			out = append(out, member{"maximum", t.max})
		}
		return out
	case boolForm:
		return members{{"type", "boolean"}}
	case listForm:
		return members{{"type", "array"}, {"items", g.typ(t.elem)}}
	case tableForm:
		return g.table(t.shape)
	case tablesForm:
		return members{{"type", "array"}, {"items", g.table(t.shape)}}
	case mapForm:
		out := members{{"type", "object"}}
		if t.elem.form == tableForm {
			out = append(out, member{"propertyNames", nameSchema})
		}
		return append(out, member{"additionalProperties", g.typ(t.elem)})
	case unionForm:
		var alts []any
		for _, alt := range t.alts {
			alts = append(alts, g.typ(alt))
		}
		return members{{"anyOf", alts}}
	}
	if t.object {
		return members{{"type", "object"}}
	}
	return nil // any value
}

// write prints a value with its keys in order.
func (g generator) write(w *bytes.Buffer, v any, indent string) {
	inner := indent + "  "
	switch v := v.(type) {
	case members:
		if len(v) == 0 {
			w.WriteString("{}")
			return
		}
		w.WriteString("{\n")
		for i, m := range v {
			name, _ := json.Marshal(m.name)
			w.WriteString(inner)
			w.Write(name)
			w.WriteString(": ")
			g.write(w, m.value, inner)
			w.WriteString(strings.Repeat(",", min(1, len(v)-1-i)) + "\n")
		}
		w.WriteString(indent + "}")
	case []any:
		if len(v) > 0 {
			if _, nested := v[0].(members); nested {
				w.WriteString("[\n")
				for i, e := range v {
					w.WriteString(inner)
					g.write(w, e, inner)
					w.WriteString(strings.Repeat(",", min(1, len(v)-1-i)) + "\n")
				}
				w.WriteString(indent + "]")
				return
			}
		}
		w.WriteString("[")
		for i, e := range v {
			if i > 0 {
				w.WriteString(", ")
			}
			g.write(w, e, inner)
		}
		w.WriteString("]")
	default:
		w.Write(event.Of(v).JSON())
	}
}
