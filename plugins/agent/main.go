// Command agent is the plugin builtin:agent: it asks a language model through
// an OpenAI-compatible chat completions API. It offers the model no tools, and
// keeps nothing from call to call.
package main

import (
	"encoding/json"
	"os"

	"wasmhost/pluginsdk"
)

var description = pluginsdk.Description{
	Name:    "agent",
	Version: "1",
	Functions: map[string]pluginsdk.Function{
		"run": {
			Description: "Asks a language model. Text is the prompt; an object may set more. Settings: base_url, model, api_key (or `secret`, the name of a granted secret), system, temperature, max_tokens, json.",
			Input:       json.RawMessage(`{"oneOf":[{"type":"string"},` + string(pluginsdk.SchemaOf[question]()) + `]}`),
			Output:      pluginsdk.SchemaOf[answer](),
		},
		"health": {Description: "Healthy when GET {base_url}/models succeeds.", Output: pluginsdk.SchemaOf[map[string]any]()},
	},
}

//go:wasmexport run
func run() int32 { return pluginsdk.Run(ask) }

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
