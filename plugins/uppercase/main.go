// Command uppercase is the plugin builtin:uppercase: text in, upper-case text
// out, in the shape in which it came. It needs no network and no settings, and
// is meant as a level that always answers.
package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"

	"wasmhost/pluginsdk"
)

var description = pluginsdk.Description{
	Name:    "uppercase",
	Version: "1",
	Functions: map[string]pluginsdk.Function{
		"run": {
			Description: "Turns text into upper case. Text gives text; an object with a `text` gives the same object with its `text` in upper case.",
			Input:       json.RawMessage(`{"oneOf":[{"type":"string"},{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}]}`),
			Output:      json.RawMessage(`{"oneOf":[{"type":"string"},{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}]}`),
		},
		"health": {Description: "Always healthy: nothing lies below it."},
	},
}

// upper is the handler. Whatever is not an object is text: numbers and lists
// too, since the host hands text over without quotes. null is what a node gets
// that nobody gave anything to: answering NULL would hide the mistake.
func upper(_ pluginsdk.Call, input []byte) ([]byte, error) {
	trimmed := bytes.TrimSpace(input)
	if string(trimmed) == "null" {
		return nil, pluginsdk.Permanent("bad_input", "the input is null, and there is no text to turn into upper case: give the node a text with `with`, or the workflow an input")
	}
	var object map[string]json.RawMessage
	if len(trimmed) == 0 || trimmed[0] != '{' || json.Unmarshal(trimmed, &object) != nil {
		return []byte(strings.ToUpper(string(input))), nil
	}
	var text string
	if raw, ok := object["text"]; !ok || json.Unmarshal(raw, &text) != nil || string(raw) == "null" {
		return nil, pluginsdk.Permanent("bad_input", "the input is an object without a `text` that is a string: give text, or {text = \"…\"}, with `with`")
	}
	object["text"] = quote(strings.ToUpper(text))
	return marshal(object), nil
}

func quote(s string) json.RawMessage { return marshal(s) }

func marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // strings and JSON that was just read can be written
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

//go:wasmexport run
func run() int32 { return pluginsdk.RunRaw(upper) }

//go:wasmexport health
func health() int32 {
	return pluginsdk.Health(func(pluginsdk.Call) (map[string]any, error) { return nil, nil })
}

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
