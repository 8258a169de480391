package pluginsdk

import "encoding/json"

// Description is what a plugin says of itself: for people, for `inspect`, and
// for checking a workflow before it runs.
type Description struct {
	Name      string              `json:"name"`
	Version   string              `json:"version,omitempty"`
	Functions map[string]Function `json:"functions,omitempty"`
	Allow     *Allow              `json:"allow,omitempty"`
}

// Function describes one export. Input and Output are JSON Schemas; leave them
// empty where anything goes.
type Function struct {
	Description string          `json:"description,omitempty"`
	Input       json.RawMessage `json:"input,omitempty"`
	Output      json.RawMessage `json:"output,omitempty"`
}

// Allow is what the plugin asks for. It gets what the workflow grants as well,
// and nothing more.
type Allow struct {
	HTTP []string `json:"http,omitempty"`
}

// FunctionOf describes a function by the types of its handler.
func FunctionOf[In, Out any](description string) Function {
	return Function{Description: description, Input: SchemaOf[In](), Output: SchemaOf[Out]()}
}

// JSON returns the description as hosts read it.
func (d Description) JSON() ([]byte, error) { return encode(d) }

// Describe is the body of the export `describe`.
func Describe(d Description) int32 {
	return Run(func(Call, []byte) ([]byte, error) { return d.JSON() })
}
