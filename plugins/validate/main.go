// Command validate is the plugin builtin:validate: it checks data against a
// JSON Schema and reports what does not fit, with its place.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"wasmhost/pluginsdk"
)

var description = pluginsdk.Description{
	Name:    "validate",
	Version: "1",
	Functions: map[string]pluginsdk.Function{
		"run": {
			Description: "Checks data against a JSON Schema. With a setting `schema` the whole input is the data, else the input is {schema, data}. With the setting `strict` = \"true\" data that does not fit is a permanent failure, code \"invalid\".",
			Output:      pluginsdk.SchemaOf[report](),
		},
		"health": {Description: "Healthy when the setting `schema`, if there is one, is a JSON Schema."},
	},
}

// report is the output.
type report struct {
	Valid  bool            `json:"valid"`
	Errors []mistake       `json:"errors"`
	Data   json.RawMessage `json:"data"`
}

// mistake is one thing that does not fit. The path is a JSON Pointer; empty is
// the data as a whole.
type mistake struct {
	Path    string `json:"path"`
	Message string `json:"message"`
}

func validate(c pluginsdk.Call, input []byte) (report, error) {
	strict := false
	switch v := c.ConfigOr("strict", "false"); v {
	case "true":
		strict = true
	case "false":
	default:
		return report{}, pluginsdk.Permanent("bad_config", "the setting `strict` is "+quote(v)+", neither \"true\" nor \"false\"")
	}
	text, data, err := schemaAndData(c, input)
	if err != nil {
		return report{}, err
	}
	schema, err := compile(text)
	if err != nil {
		return report{}, err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return report{}, pluginsdk.Permanent("bad_input", "the data is no JSON: "+err.Error())
	}
	r := report{Valid: true, Errors: []mistake{}, Data: data}
	var invalid *jsonschema.ValidationError
	switch err := schema.Validate(value); {
	case err == nil:
		return r, nil
	case errors.As(err, &invalid):
		r.Valid, r.Errors = false, mistakes(invalid, nil)
	default:
		return report{}, pluginsdk.Permanent("bad_input", "the data cannot be checked: "+err.Error())
	}
	if strict {
		return report{}, pluginsdk.Permanent("invalid", "the data does not fit its schema: "+summary(r.Errors))
	}
	return r, nil
}

// schemaAndData finds out what is checked against what. The host gives text
// without quotes, so that input that is no JSON is a string.
func schemaAndData(c pluginsdk.Call, input []byte) (schema, data []byte, err error) {
	if s, ok := c.Config("schema"); ok {
		if !json.Valid(input) {
			input = quoted(string(input))
		}
		return []byte(s), input, nil
	}
	var both struct {
		Schema json.RawMessage `json:"schema"`
		Data   json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(input, &both); err != nil || both.Schema == nil || both.Data == nil {
		return nil, nil, pluginsdk.Permanent("bad_input", "there is no schema: set `schema` in the plugin's config (JSON text), or give {schema, data} as input")
	}
	// A schema may come as an object or as the text of one.
	var s string
	if json.Unmarshal(both.Schema, &s) == nil && both.Schema[0] == '"' {
		both.Schema = []byte(s)
	}
	return both.Schema, both.Data, nil
}

// nothing loads nothing: a schema may refer to itself and to the drafts that
// are built in.
type nothing struct{}

func (nothing) Load(url string) (any, error) {
	return nil, errors.New("a schema is not loaded from anywhere: put it under $defs")
}

const here = "urn:schema"

func compile(text []byte) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, pluginsdk.Permanent("bad_schema", "the schema is no JSON: "+err.Error())
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(nothing{})
	compiler.AssertFormat()
	if err := compiler.AddResource(here, doc); err != nil {
		return nil, pluginsdk.Permanent("bad_schema", "the schema cannot be used: "+err.Error())
	}
	schema, err := compiler.Compile(here)
	if err != nil {
		var invalid *jsonschema.SchemaValidationError
		if errors.As(err, &invalid) {
			var inner *jsonschema.ValidationError
			if errors.As(invalid.Err, &inner) {
				return nil, pluginsdk.Permanent("bad_schema", "the schema is no JSON Schema: "+summary(mistakes(inner, nil)))
			}
		}
		return nil, pluginsdk.Permanent("bad_schema", "the schema is no JSON Schema: "+strings.ReplaceAll(err.Error(), here, ""))
	}
	return schema, nil
}

var english = message.NewPrinter(language.English)

// mistakes lists the innermost causes: what lies above only says that
// something below is wrong.
func mistakes(e *jsonschema.ValidationError, list []mistake) []mistake {
	if len(e.Causes) == 0 {
		return append(list, mistake{Path: jsonPointer(e.InstanceLocation), Message: e.ErrorKind.LocalizedString(english)})
	}
	for _, cause := range e.Causes {
		list = mistakes(cause, list)
	}
	return list
}

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

func jsonPointer(tokens []string) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteByte('/')
		b.WriteString(pointerEscaper.Replace(t))
	}
	return b.String()
}

// summary names the first few mistakes in one line.
func summary(list []mistake) string {
	const most = 3
	var parts []string
	for i, m := range list {
		if i == most {
			parts = append(parts, "…")
			break
		}
		path := m.Path
		if path == "" {
			path = "the whole"
		}
		parts = append(parts, path+": "+m.Message)
	}
	return strings.Join(parts, "; ")
}

func quoted(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can be written
	}
	return b
}

func quote(s string) string { return string(quoted(s)) }

func check(c pluginsdk.Call) (map[string]any, error) {
	s, ok := c.Config("schema")
	if !ok {
		return map[string]any{"schema": "from input"}, nil
	}
	if _, err := compile([]byte(s)); err != nil {
		return nil, err
	}
	return map[string]any{"schema": "from config"}, nil
}

//go:wasmexport run
func run() int32 { return pluginsdk.Run(validate) }

//go:wasmexport health
func health() int32 { return pluginsdk.Health(check) }

//go:wasmexport describe
func describe() int32 { return pluginsdk.Describe(description) }

// main prints the description; a module's exports never run it.
func main() {
	text, err := description.JSON()
	if err != nil {
		panic(err)
	}
	os.Stdout.Write(text)
}
