package call

import (
	"encoding/base64"
	"fmt"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
)

// Output is a plugin's output as a value: JSON where it is JSON, else a string;
// in base64 when the plugin describes it as bytes.
func Output(a plugin.Answer) (event.Value, *event.Error) {
	if a.Binary {
		return event.Text(base64.StdEncoding.EncodeToString(a.Output)), nil
	}
	v, err := event.FromOutput(a.Output)
	if err != nil {
		return event.Null, &event.Error{Class: event.Permanent, Code: "invalid_output", Cause: err, Message: fmt.Sprintf(
			"the output of %d bytes is %v; a function that returns bytes says so in `describe`, with contentEncoding base64 in its output schema", len(a.Output), err)}
	}
	return v, nil
}
