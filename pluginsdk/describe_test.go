package pluginsdk_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"wasmhost/pluginsdk"
	"wasmhost/pluginsdk/pluginsdktest"
)

type base struct {
	ID string `json:"id" doc:"which one"`
}

type tree struct {
	Name     string  `json:"name"`
	Children []*tree `json:"children,omitempty"`
}

type everything struct {
	base
	Flag   bool               `json:"flag"`
	Count  uint8              `json:"count,omitempty"`
	Share  float64            `json:"share,omitzero"`
	Names  []string           `json:"names,omitempty"`
	Pair   [2]int             `json:"pair,omitempty"`
	Limits map[string]float64 `json:"limits,omitempty"`
	At     time.Time          `json:"at,omitzero"`
	Raw    json.RawMessage    `json:"raw,omitempty"`
	Any    any                `json:"any,omitempty"`
	Data   []byte             `json:"data,omitempty"`
	Maybe  *int               `json:"maybe"`
	Hidden string             `json:"-"`
	NoTag  string
	_      int // a field that JSON never sees
}

func TestSchemaOf(t *testing.T) {
	tests := []struct {
		name string
		got  json.RawMessage
		want string
	}{
		{"string", pluginsdk.SchemaOf[string](), `{"type":"string"}`},
		{"any", pluginsdk.SchemaOf[any](), `{}`},
		{"list", pluginsdk.SchemaOf[[]int](), `{"items":{"type":"integer"},"type":"array"}`},
		{"everything", pluginsdk.SchemaOf[everything](), `{"properties":{"NoTag":{"type":"string"},"any":{},"at":{"format":"date-time","type":"string"},
			"count":{"type":"integer"},"data":{"type":"string"},"flag":{"type":"boolean"},"id":{"description":"which one","type":"string"},
			"limits":{"additionalProperties":{"type":"number"},"type":"object"},"maybe":{"type":"integer"},
			"names":{"items":{"type":"string"},"type":"array"},"pair":{"items":{"type":"integer"},"type":"array"},"raw":{},"share":{"type":"number"}},
			"required":["id","flag","NoTag"],"type":"object"}`},
		{"a type within itself", pluginsdk.SchemaOf[tree](), `{"$defs":{"tree":{"properties":{"children":{"items":{"$ref":"#/$defs/tree"},"type":"array"},
			"name":{"type":"string"}},"required":["name"],"type":"object"}},"$ref":"#/$defs/tree"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want bytes.Buffer
			if err := json.Compact(&want, []byte(tt.want)); err != nil {
				t.Fatal(err)
			}
			if string(tt.got) != want.String() {
				t.Errorf("got  %s\nwant %s", tt.got, &want)
			}
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(tt.got))
			if err != nil {
				t.Fatal(err)
			}
			c := jsonschema.NewCompiler()
			if err := c.AddResource("urn:x", doc); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Compile("urn:x"); err != nil {
				t.Errorf("it is no JSON Schema: %v", err)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	d := pluginsdk.Description{Name: "x", Version: "1.2.3",
		Functions: map[string]pluginsdk.Function{"run": pluginsdk.FunctionOf[string, []int]("does it")},
		Allow:     &pluginsdk.Allow{HTTP: []string{"https://example.com"}}}
	var host pluginsdktest.Host
	got := string(host.Run(func() int32 { return pluginsdk.Describe(d) }, nil).Output)
	want := `{"name":"x","version":"1.2.3","functions":{"run":{"description":"does it","input":{"type":"string"},"output":{"items":{"type":"integer"},"type":"array"}}},"allow":{"http":["https://example.com"]}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
