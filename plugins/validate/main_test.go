package main

import (
	"strings"
	"testing"

	"wasmhost/pluginsdk/pluginsdktest"
)

const person = `{"type":"object","required":["name"],"additionalProperties":false,
	"properties":{"name":{"type":"string","minLength":1},"age":{"type":"integer","minimum":0},"mail":{"format":"email"},
	"a/b":{"$ref":"#/$defs/flag"}},"$defs":{"flag":{"type":"boolean"}}}`

func TestValidate(t *testing.T) {
	tests := []struct{ name, schema, input, want string }{
		{"valid", person, `{"name":"x","age":3}`, `{"valid":true,"errors":[],"data":{"name":"x","age":3}}`},
		{"the data is as it was", `{}`, `{"n":1.10,"s":"<"}`, `{"valid":true,"errors":[],"data":{"n":1.10,"s":"<"}}`},
		{"missing", person, `{}`, `{"valid":false,"errors":[{"path":"","message":"missing property 'name'"}],"data":{}}`},
		{"two mistakes", person, `{"name":"","age":-1}`, `"path":"/age","message":"minimum: got -1, want 0"`},
		{"format", person, `{"name":"x","mail":"no"}`, `"path":"/mail"`},
		{"through a reference, with an escaped path", person, `{"name":"x","a/b":1}`, `{"path":"/a~1b","message":"got number, want boolean"}`},
		{"text is a string", `{"type":"string","maxLength":3}`, `abc`, `{"valid":true,"errors":[],"data":"abc"}`},
		{"from the input", "", `{"schema":{"type":"null"},"data":null}`, `{"valid":true,"errors":[],"data":null}`},
		{"a schema as text", "", `{"schema":"{\"type\":\"null\"}","data":1}`, `"valid":false`},
		{"an older draft", `{"$schema":"http://json-schema.org/draft-07/schema#","type":"integer"}`, `1`, `"valid":true`},
		{"a schema that is a boolean", "", `{"schema":false,"data":1}`, `"valid":false`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host := pluginsdktest.Host{Config: map[string]string{"schema": tt.schema}}
			r := host.Run(run, tt.input)
			if got := string(r.Output); r.Error != nil || !strings.Contains(got, tt.want) {
				t.Errorf("got %s, %v, want %s", got, r.Error, tt.want)
			}
		})
	}
}

func TestValidateFails(t *testing.T) {
	tests := []struct{ name, schema, strict, input, code, message string }{
		{"no schema", "", "", `{"data":1}`, "bad_input", "there is no schema: set `schema` in the plugin's config (JSON text), or give {schema, data} as input"},
		{"schema without JSON", "{", "", `1`, "bad_schema", "the schema is no JSON: unexpected EOF"},
		{"no JSON Schema", `{"type":"text"}`, "", `1`, "bad_schema", "the schema is no JSON Schema: /type: "},
		{"nothing is loaded", `{"$ref":"https://example.com/s.json"}`, "", `1`, "bad_schema", "a schema is not loaded from anywhere"},
		{"no file either", `{"$ref":"file:///etc/passwd"}`, "", `1`, "bad_schema", "a schema is not loaded from anywhere"},
		{"a reference to nothing", `{"$ref":"#/$defs/x"}`, "", `1`, "bad_schema", "the schema is no JSON Schema: "},
		{"strict", person, "true", `{"age":-1,"name":1,"x":1,"mail":1}`, "invalid", "the data does not fit its schema: "},
		{"strict names the place", `{"items":{"type":"string"}}`, "true", `["a",1]`, "invalid", "the data does not fit its schema: /1: got number, want string"},
		{"bad setting", person, "yes", `{}`, "bad_config", "the setting `strict` is \"yes\", neither \"true\" nor \"false\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host := pluginsdktest.Host{Config: map[string]string{"schema": tt.schema, "strict": tt.strict}}
			e := host.Run(run, tt.input).Error
			if e == nil || e.Class != "permanent" || e.Code != tt.code || !strings.Contains(e.Message, tt.message) {
				t.Errorf("got %v, want %s: %s", e, tt.code, tt.message)
			}
			if e != nil && strings.Contains(e.Message, here) {
				t.Errorf("it shows an inner name: %s", e.Message)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	for schema, want := range map[string]string{"": `{"healthy":true,"schema":"from input"}`, person: `{"healthy":true,"schema":"from config"}`} {
		host := pluginsdktest.Host{Config: map[string]string{"schema": schema}}
		if got := string(host.Run(health, nil).Output); got != want {
			t.Error(got)
		}
	}
	host := pluginsdktest.Host{Config: map[string]string{"schema": `{"type":1}`}}
	if e := host.Run(health, nil).Error; e == nil || e.Code != "bad_schema" {
		t.Errorf("a bad schema is healthy: %v", e)
	}
}

func FuzzValidate(f *testing.F) {
	f.Add(person, `{"name":"x"}`)
	f.Add(`{"$ref":"#"}`, `1`)
	f.Fuzz(func(t *testing.T, schema, data string) {
		host := pluginsdktest.Host{Config: map[string]string{"schema": schema}}
		if e := host.Run(run, data).Error; e != nil && e.Code == "panic" {
			t.Errorf("%q of %q: %v", schema, data, e)
		}
	})
}

// The export says what the build puts into the module's section.
func TestDescribe(t *testing.T) {
	var host pluginsdktest.Host
	want, err := description.JSON()
	if got := host.Run(describe, nil); err != nil || got.Error != nil || string(got.Output) != string(want) {
		t.Errorf("got %s, %v, want %s, %v", got.Output, got.Error, want, err)
	}
}
