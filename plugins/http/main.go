// Command http is the plugin builtin:http: one HTTP request as a node, or as a
// health check. What it may reach is the workflow's `allow`.
package main

import (
	"encoding/json"
	"os"

	"wasmhost/pluginsdk"
)

var description = pluginsdk.Description{
	Name:    "http",
	Version: "1",
	Functions: map[string]pluginsdk.Function{
		"run": {
			Description: "Sends a request. Text is the URL; an object may set more. Settings: url, method, expect. A status that is not expected fails with the status as its code.",
			Input:       json.RawMessage(`{"oneOf":[{"type":"string"},` + string(pluginsdk.SchemaOf[request]()) + `]}`),
			Output:      pluginsdk.SchemaOf[answer](),
		},
		"health": {
			Description: "Healthy when GET answers as expected. The URL is the setting health_url.NAME for the check NAME, else health_url, else url.",
		},
	},
}

//go:wasmexport run
func run() int32 { return pluginsdk.Run(send) }

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
