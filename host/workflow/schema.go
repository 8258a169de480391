package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/expr-lang/expr/checker/nature"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"wasmhost/host/event"
)

// Schema is a compiled JSON Schema. It is immutable and safe for concurrent
// use.
type Schema struct {
	// File is where it was read, relative to the workflow, "" for an inline one.
	File     string
	compiled *jsonschema.Schema
	text     []byte
}

// JSON is the schema as it is written. Nobody may change it.
func (s *Schema) JSON() json.RawMessage {
	if s == nil {
		return nil
	}
	return s.text
}

// maxSchema bounds the size of a schema file.
const maxSchema = 4 << 20

// schemaScheme is the scheme under which schemas know each other: the path
// within the workflow's folder. No loader knows any other.
const schemaScheme = "workflow"

// schemaLoader reads schemas from one folder and from nowhere else: not from
// the network, and through os.Root not even behind a symlink that leads out.
type schemaLoader struct {
	dir  string
	read func(file string, text []byte) // told of every file, for the digest
}

// Load returns the JSON at an address.
func (l *schemaLoader) Load(address string) (any, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if u.Scheme != schemaScheme {
		return nil, fmt.Errorf("%s is not read: schemas come from the workflow's folder only", address)
	}
	file := strings.TrimPrefix(u.Path, "/")
	text, err := readInside(l.dir, file)
	if err != nil {
		return nil, err
	}
	if l.read != nil {
		l.read(file, text)
	}
	v, err := event.Parse(text)
	if err != nil {
		return nil, &schemaSyntaxError{file: file, text: text, err: err}
	}
	return v.Any(), nil
}

// schemaSyntaxError is a schema file that is no JSON.
type schemaSyntaxError struct {
	file string
	text []byte
	err  error
}

func (e *schemaSyntaxError) Error() string { return e.file + " is no JSON: " + e.err.Error() }

func (e *schemaSyntaxError) Unwrap() error { return e.err }

// offset is where the JSON breaks.
func (e *schemaSyntaxError) offset() int {
	var syntax *json.SyntaxError
	if errors.As(e.err, &syntax) {
		return max(int(syntax.Offset)-1, 0)
	}
	return 0
}

// readInside reads a file of a folder that cannot lead out of it.
func readInside(dir, file string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return readRegular(file, maxSchema, root.Stat, func(name string) (*os.File, error) { return root.OpenFile(name, os.O_RDONLY|nonblock, 0) })
}

// newSchemaCompiler returns a compiler that loads what schemas refer to from
// dir.
func newSchemaCompiler(l *schemaLoader) *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(l)
	return c
}

// schemaFile compiles a file of the folder, given with slashes.
func schemaFile(c *jsonschema.Compiler, file string) (*Schema, error) {
	compiled, err := compileSchema(c, schemaAddress(file))
	if err != nil {
		return nil, err
	}
	return &Schema{File: file, compiled: compiled}, nil
}

func schemaAddress(file string) string {
	return (&url.URL{Scheme: schemaScheme, Path: "/" + path.Clean(file)}).String()
}

// schemaInline compiles a value; name makes its address unique. Its $refs are
// relative to the workflow's folder.
func schemaInline(c *jsonschema.Compiler, name string, v any) (*Schema, error) {
	address := schemaAddress("inline:" + url.PathEscape(name))
	if err := c.AddResource(address, v); err != nil {
		return nil, err
	}
	compiled, err := compileSchema(c, address)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return &Schema{compiled: compiled, text: text}, nil
}

// compileSchema turns a panic of the library into an error.
func compileSchema(c *jsonschema.Compiler, address string) (s *jsonschema.Schema, err error) {
	defer func() {
		if r := recover(); r != nil {
			s, err = nil, fmt.Errorf("the schema cannot be compiled: %v", r)
		}
	}()
	return c.Compile(address)
}

// NewSchema compiles a schema for a Plan that is built in Go. $refs lead
// nowhere but into the schema itself.
func NewSchema(text []byte) (*Schema, error) {
	v, err := event.Parse(text)
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(jsonschema.SchemeURLLoader{})
	return schemaInline(c, "made", v.Any())
}

// nature is the type of the values that the schema lets through.
func (s *Schema) nature() nature.Nature {
	if s == nil {
		return nature.Nature{}
	}
	return natureOf(s.compiled, 0)
}

// Check reports why v does not fit, as a *SchemaError, or nil. A nil Schema
// lets everything through.
func (s *Schema) Check(v event.Value) (err error) {
	if s == nil {
		return nil
	}
	data := v.Any()
	if bad := hugeNumber(data, nil); bad != nil {
		return bad
	}
	defer func() {
		if r := recover(); r != nil {
			err = &SchemaError{Path: "the value", Reason: fmt.Sprintf("cannot be checked: %v", r)}
		}
	}()
	err = s.compiled.Validate(data)
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		return schemaError(invalid)
	}
	return err
}

// maxExponent bounds numbers that a schema looks at: the library turns them
// into exact fractions, so that 1e999999999 alone would take all memory.
const maxExponent = 1000

// hugeNumber finds a number that must not be shown to the library.
func hugeNumber(v any, at []string) *SchemaError {
	switch v := v.(type) {
	case json.Number:
		s := string(v)
		if i := strings.IndexAny(s, "eE"); i >= 0 {
			exponent := strings.TrimLeft(strings.TrimLeft(s[i+1:], "+-"), "0")
			if len(exponent) > 4 || len(exponent) == 4 && exponent > fmt.Sprint(maxExponent) {
				return &SchemaError{Path: valuePath(at), Reason: "is the number " + s[:min(len(s), 40)] + ", whose exponent is too large to be checked"}
			}
		}
	case []any:
		for i, item := range v {
			if bad := hugeNumber(item, append(at, fmt.Sprint(i))); bad != nil {
				return bad
			}
		}
	case map[string]any:
		for k, item := range v {
			if bad := hugeNumber(item, append(at, k)); bad != nil {
				return bad
			}
		}
	}
	return nil
}
