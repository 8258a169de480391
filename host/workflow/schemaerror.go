package workflow

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	why "github.com/santhosh-tekuri/jsonschema/v6/kind"

	"wasmhost/host/event"
)

// SchemaError says where and why a value does not fit its schema.
type SchemaError struct {
	// Path is the place in the value: "the value" itself, or "items[2].name".
	Path string
	// Reason reads on from the path: "is missing", "must be a string, it is 5".
	Reason string
	// More is how many other places do not fit.
	More int
}

func (e *SchemaError) Error() string {
	s := e.Path + " " + e.Reason
	if e.More > 0 {
		s += fmt.Sprintf(" (and %d more)", e.More)
	}
	return s
}

// schemaError picks the first of the deepest causes: what a person can mend.
func schemaError(v *jsonschema.ValidationError) *SchemaError {
	var leaves []*jsonschema.ValidationError
	collectLeaves(v, &leaves)
	slices.SortStableFunc(leaves, func(a, b *jsonschema.ValidationError) int {
		return strings.Compare(strings.Join(a.InstanceLocation, "/"), strings.Join(b.InstanceLocation, "/"))
	})
	first := leaves[0]
	e := &SchemaError{Path: valuePath(first.InstanceLocation), More: len(leaves) - 1}
	e.Path, e.Reason = reason(first, e.Path)
	return e
}

// collectLeaves gathers the causes at the bottom. Of alternatives (anyOf,
// oneOf) none alone is the cause, so they stay one.
func collectLeaves(v *jsonschema.ValidationError, out *[]*jsonschema.ValidationError) {
	switch v.ErrorKind.(type) {
	case *why.AnyOf, *why.OneOf, *why.Not, *why.PropertyNames, *why.Contains:
		*out = append(*out, v)
		return
	}
	if len(v.Causes) == 0 {
		*out = append(*out, v)
		return
	}
	for _, c := range v.Causes {
		collectLeaves(c, out)
	}
}

// valuePath writes a location as people do.
func valuePath(at []string) string {
	if len(at) == 0 {
		return "the value"
	}
	var b strings.Builder
	for i, p := range at {
		if _, err := strconv.Atoi(p); err == nil {
			if i == 0 {
				b.WriteString("item ")
				b.WriteString(p)
				continue
			}
			b.WriteString("[" + p + "]")
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		if isName(p) {
			b.WriteString(p)
		} else {
			b.WriteString(strconv.Quote(p))
		}
	}
	return b.String()
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return s != ""
}

// within is the path of a property of the value at path.
func within(path, property string) string {
	if path == "the value" {
		return valuePath([]string{property})
	}
	return path + "." + strings.TrimPrefix(valuePath([]string{property}), "item ")
}

// reason says in plain words what a cause means.
func reason(v *jsonschema.ValidationError, path string) (string, string) {
	switch k := v.ErrorKind.(type) {
	case *why.Type:
		return path, "must be " + anyOf(k.Want) + ", it is " + article(k.Got)
	case *why.Required:
		if len(k.Missing) == 1 {
			return within(path, k.Missing[0]), "is missing"
		}
		return path, "lacks " + strings.Join(k.Missing, ", ")
	case *why.AdditionalProperties:
		return within(path, k.Properties[0]), "is not allowed here"
	case *why.Enum:
		return path, "must be one of " + someJSON(k.Want)
	case *why.Const:
		return path, "must be " + someJSON([]any{k.Want})
	case *why.MinLength:
		return path, fmt.Sprintf("has %d characters, at least %d are needed", k.Got, k.Want)
	case *why.MaxLength:
		return path, fmt.Sprintf("has %d characters, at most %d are allowed", k.Got, k.Want)
	case *why.MinItems:
		return path, fmt.Sprintf("has %d items, at least %d are needed", k.Got, k.Want)
	case *why.MaxItems:
		return path, fmt.Sprintf("has %d items, at most %d are allowed", k.Got, k.Want)
	case *why.MinProperties:
		return path, fmt.Sprintf("has %d properties, at least %d are needed", k.Got, k.Want)
	case *why.MaxProperties:
		return path, fmt.Sprintf("has %d properties, at most %d are allowed", k.Got, k.Want)
	case *why.Pattern:
		return path, "must match " + k.Want
	case *why.Format:
		return path, "must be a valid " + k.Want
	case *why.Minimum:
		return path, "must be at least " + k.Want.RatString()
	case *why.Maximum:
		return path, "must be at most " + k.Want.RatString()
	case *why.ExclusiveMinimum:
		return path, "must be more than " + k.Want.RatString()
	case *why.ExclusiveMaximum:
		return path, "must be less than " + k.Want.RatString()
	case *why.MultipleOf:
		return path, "must be a multiple of " + k.Want.RatString()
	case *why.UniqueItems:
		return path, fmt.Sprintf("must not repeat items: %d and %d are equal", k.Duplicates[0], k.Duplicates[1])
	case *why.FalseSchema:
		return path, "is not allowed here"
	case *why.AdditionalItems:
		return path, fmt.Sprintf("has %d items too many", k.Count)
	case *why.DependentRequired:
		return path, fmt.Sprintf("has %s, which needs %s too", k.Prop, strings.Join(k.Missing, ", "))
	case *why.Dependency:
		return path, fmt.Sprintf("has %s, which needs %s too", k.Prop, strings.Join(k.Missing, ", "))
	case *why.PropertyNames:
		return path, fmt.Sprintf("has a property %q, a name that is not allowed", k.Property)
	case *why.Contains, *why.MinContains:
		return path, "lacks an item that must be in it"
	case *why.MaxContains:
		return path, "has too many items of one sort"
	case *why.AnyOf, *why.OneOf:
		if of, ok := v.ErrorKind.(*why.OneOf); ok && len(of.Subschemas) > 0 {
			return path, "fits several of the alternatives, it must fit exactly one"
		}
		return path, "fits none of the alternatives" + alternatives(v)
	case *why.Not:
		return path, "is what the schema excludes"
	}
	return path, fmt.Sprintf("does not fit (%s)", strings.Join(v.ErrorKind.KeywordPath(), " "))
}

// alternatives says for each branch why it does not fit.
func alternatives(v *jsonschema.ValidationError) string {
	var each []string
	for _, c := range v.Causes {
		each = append(each, schemaError(c).Error())
		if len(each) == 3 {
			break
		}
	}
	if each == nil {
		return ""
	}
	return ": " + strings.Join(slices.Compact(each), "; ")
}

func article(kind string) string {
	switch kind {
	case "null":
		return "null"
	case "array":
		return "a list"
	case "integer":
		return "a whole number"
	case "object":
		return "an object"
	}
	return "a " + kind
}

func anyOf(kinds []string) string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = article(k)
	}
	return strings.Join(out, " or ")
}

func someJSON(values []any) string {
	var b strings.Builder
	for i, v := range values {
		if i == 10 {
			b.WriteString(", …")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.Write(event.Of(v).JSON())
	}
	return b.String()
}

// badSchema reports a schema that cannot be compiled: v is where the workflow
// names it, file its path, "" for an inline one.
func (b *builder) badSchema(v *item, file string, err error) {
	name := "the schema"
	if file != "" {
		name = file
	}
	var syntax *schemaSyntaxError
	if errors.As(beneath(err), &syntax) {
		d := newDocument(filepath.Join(b.dir, filepath.FromSlash(syntax.file)), string(syntax.text))
		f := Finding{File: d.file, Severity: Error, Code: "bad_schema", Message: "the schema is no JSON: " + syntax.err.Error()}
		f.Line, f.Col = d.place(uint32(min(syntax.offset(), len(d.text))))
		b.l.files = append(b.l.files, d.file)
		b.l.texts[d.file] = syntax.text
		b.report(f)
		return
	}
	b.say(v, "bad_schema", "", "%s is no JSON Schema that can be used: %s", name, schemaProblem(err))
}

// beneath is the cause of an error that the library wraps without saying so.
func beneath(err error) error {
	var load *jsonschema.LoadURLError
	if errors.As(err, &load) {
		return load.Err
	}
	return err
}

// schemaProblem says in plain words why a schema does not compile.
func schemaProblem(err error) string {
	var (
		invalid *jsonschema.SchemaValidationError
		pointer *jsonschema.JSONPointerNotFoundError
		anchor  *jsonschema.AnchorNotFoundError
		pattern *jsonschema.InvalidRegexError
		path    *fs.PathError
		odd     *notAFile
		large   *tooLarge
	)
	err = beneath(err)
	switch {
	case errors.As(err, &invalid):
		var v *jsonschema.ValidationError
		if errors.As(invalid.Err, &v) {
			return schemaError(v).Error()
		}
	case errors.As(err, &pointer):
		return fmt.Sprintf("the $ref %q leads nowhere", inFolder(pointer.URL))
	case errors.As(err, &anchor):
		return fmt.Sprintf("the $ref %q leads nowhere", inFolder(anchor.URL))
	case errors.As(err, &pattern):
		return fmt.Sprintf("the pattern %q is no regular expression: %v", pattern.Regex, pattern.Err)
	case errors.As(err, &odd):
		return fmt.Sprintf("%s, which it refers to, is %s", odd.path, odd.what)
	case errors.As(err, &large):
		return fmt.Sprintf("%s, which it refers to, has %d bytes; a schema has at most %s", large.path, large.size, bytesText(large.most))
	case errors.As(err, &path):
		return fmt.Sprintf("%s, which it refers to, cannot be read: %v", path.Path, path.Err)
	}
	return err.Error()
}

// inFolder is an address of a schema as its author knows it.
func inFolder(address string) string { return strings.TrimPrefix(address, schemaScheme+":///") }
