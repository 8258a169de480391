// Command transform is the plugin builtin:transform: it reshapes JSON with an
// expression (github.com/expr-lang/expr).
package main

import (
	"encoding/json"
	"errors"
	"os"
	"strconv"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"wasmhost/pluginsdk"
)

var description = pluginsdk.Description{
	Name:    "transform",
	Version: "1",
	Functions: map[string]pluginsdk.Function{
		"run": {
			Description: "Computes an expression over `data`. With a setting `expression` the whole input is the data, else the input is {expression, data}. A mistake is a permanent failure, code \"expression\", with its line and column.",
		},
		"health": {Description: "Healthy when the setting `expression`, if there is one, can be read."},
	},
}

// builtins are the functions that expressions may use: those whose answer
// depends on nothing but their arguments.
var builtins = []string{
	"all", "none", "any", "one", "filter", "map", "find", "findIndex", "findLast", "findLastIndex",
	"count", "sum", "groupBy", "sortBy", "reduce",
	"len", "type", "abs", "ceil", "floor", "round", "int", "float", "string",
	"trim", "trimPrefix", "trimSuffix", "upper", "lower", "split", "splitAfter", "replace", "join",
	"indexOf", "lastIndexOf", "hasPrefix", "hasSuffix", "max", "min", "mean", "median",
	"toJSON", "fromJSON", "toBase64", "fromBase64",
	"first", "last", "get", "take", "keys", "values", "toPairs", "fromPairs",
	"reverse", "uniq", "concat", "flatten", "sort",
}

// environment is what expressions see.
type environment struct {
	Data any `expr:"data"`
}

func transform(c pluginsdk.Call, input []byte) (any, error) {
	source, data, err := expressionAndData(c, input)
	if err != nil {
		return nil, err
	}
	program, err := compile(source)
	if err != nil {
		return nil, err
	}
	out, err := vm.Run(program, environment{data})
	if err != nil {
		return nil, mistake(source, err)
	}
	if _, err := json.Marshal(out); err != nil {
		return nil, pluginsdk.Permanent("expression", "expression "+strconv.Quote(source)+": its value cannot be written as JSON: "+unwritable(err))
	}
	return out, nil
}

// unwritable says which value has no JSON.
func unwritable(err error) string {
	var value *json.UnsupportedValueError
	var kind *json.UnsupportedTypeError
	switch {
	case errors.As(err, &value):
		return "it holds the number " + value.Str + ", as a division by zero gives it"
	case errors.As(err, &kind):
		return "it holds something that is no text, number, list or object, such as a function"
	}
	return err.Error()
}

// expressionAndData finds out what is computed over what. The host gives text
// without quotes, so that input that is no JSON is a string.
func expressionAndData(c pluginsdk.Call, input []byte) (source string, data any, err error) {
	if source, ok := c.Config("expression"); ok {
		if data, err = decode(input); err != nil {
			data = string(input)
		}
		return source, data, nil
	}
	var both struct {
		Expression string          `json:"expression"`
		Data       json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(input, &both); err != nil || both.Expression == "" {
		return "", nil, pluginsdk.Permanent("bad_input", "there is no expression: set `expression` in the plugin's config, or give {expression, data} as input")
	}
	if len(both.Data) == 0 {
		return both.Expression, nil, nil
	}
	if data, err = decode(both.Data); err != nil {
		return "", nil, pluginsdk.Permanent("bad_input", "the data is no JSON: "+err.Error())
	}
	return both.Expression, data, nil
}

func compile(source string) (*vm.Program, error) {
	options := []expr.Option{expr.Env(environment{}), expr.DisableAllBuiltins()}
	for _, name := range builtins {
		options = append(options, expr.EnableBuiltin(name))
	}
	program, err := expr.Compile(source, options...)
	if err != nil {
		return nil, mistake(source, err)
	}
	return program, nil
}

// mistake names the place in the expression, line and column from 1.
func mistake(source string, err error) error {
	place, rest, message := "", "", err.Error()
	var at *file.Error
	if errors.As(err, &at) {
		message = at.Message
		if runes := []rune(source); at.From >= 0 && at.From <= len(runes) {
			rest = string(runes[at.From:])
		}
		if at.Line > 0 {
			place = " at " + strconv.Itoa(at.Line) + ":" + strconv.Itoa(at.Column+1)
		}
	}
	return pluginsdk.Permanent("expression", "expression "+strconv.Quote(source)+place+": "+plain(message, rest))
}

func check(c pluginsdk.Call) (map[string]any, error) {
	source, ok := c.Config("expression")
	if !ok {
		return map[string]any{"expression": "from input"}, nil
	}
	if _, err := compile(source); err != nil {
		return nil, err
	}
	return map[string]any{"expression": "from config"}, nil
}

//go:wasmexport run
func run() int32 { return pluginsdk.Run(transform) }

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
