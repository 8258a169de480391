package workflow_test

import (
	"errors"
	"strings"
	"testing"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// Messages of a schema name the path and say in plain words what is wrong.
func TestSchemaCheck(t *testing.T) {
	for _, c := range []struct{ schema, value, want string }{
		{`{"type":"string"}`, `"x"`, ""},
		{`{"type":"string"}`, `5`, "the value must be a string, it is a number"},
		{`{"type":["string","null"]}`, `[]`, "the value must be null or a string, it is a list"},
		{`{"type":"integer"}`, `1.5`, "the value must be a whole number, it is a number"},
		{`{"type":"integer"}`, `12345678901234567890`, ""},
		{`{"required":["a"]}`, `{}`, "a is missing"},
		{`{"required":["a","b"]}`, `{}`, "the value lacks a, b"},
		{`{"properties":{"o":{"required":["k"]}}}`, `{"o":{}}`, "o.k is missing"},
		{`{"properties":{"l":{"items":{"properties":{"n":{"type":"string"}}}}}}`, `{"l":[{"n":"x"},{"n":1}]}`, "l[1].n must be a string, it is a number"},
		{`{"items":{"type":"string"}}`, `["a",1,2]`, "item 1 must be a string, it is a number (and 1 more)"},
		{`{"properties":{"a b":{"type":"string"}}}`, `{"a b":1}`, `"a b" must be a string, it is a number`},
		{`{"properties":{"a":{}},"additionalProperties":false}`, `{"b":1}`, "b is not allowed here"},
		{`{"enum":["a","b",1]}`, `"c"`, `the value must be one of "a", "b", 1`},
		{`{"const":{"a":1}}`, `2`, `the value must be {"a":1}`},
		{`{"minLength":3}`, `"é"`, "the value has 1 characters, at least 3 are needed"},
		{`{"maxLength":1}`, `"xx"`, "the value has 2 characters, at most 1 are allowed"},
		{`{"minItems":1}`, `[]`, "the value has 0 items, at least 1 are needed"},
		{`{"maxItems":0}`, `[1]`, "the value has 1 items, at most 0 are allowed"},
		{`{"minProperties":1}`, `{}`, "has 0 properties"},
		{`{"maxProperties":0}`, `{"a":1}`, "has 1 properties"},
		{`{"pattern":"^a"}`, `"b"`, "the value must match ^a"},
		{`{"minimum":2.5}`, `2`, "the value must be at least 5/2"},
		{`{"maximum":2}`, `3`, "the value must be at most 2"},
		{`{"exclusiveMinimum":2}`, `2`, "the value must be more than 2"},
		{`{"exclusiveMaximum":2}`, `2`, "the value must be less than 2"},
		{`{"multipleOf":2}`, `3`, "the value must be a multiple of 2"},
		{`{"uniqueItems":true}`, `[1,1]`, "the value must not repeat items: 0 and 1 are equal"},
		{`{"anyOf":[{"type":"string"},{"type":"boolean"}]}`, `1`, "the value fits none of the alternatives: the value must be a string, it is a number; the value must be a boolean"},
		{`{"oneOf":[{"type":"number"},{"type":"integer"}]}`, `1`, "the value fits several of the alternatives"},
		{`{"not":{"type":"number"}}`, `1`, "the value is what the schema excludes"},
		{`{"contains":{"type":"string"}}`, `[1]`, "the value lacks an item that must be in it"},
		{`{"propertyNames":{"pattern":"^a"}}`, `{"b":1}`, `the value has a property "b", a name that is not allowed`},
		{`{"dependentRequired":{"a":["b"]}}`, `{"a":1}`, "the value has a, which needs b too"},
		{`{"properties":{"a":false}}`, `{"a":1}`, "a is not allowed here"},
		{`{"type":"number"}`, `1e999999999`, "the value is the number 1e999999999, whose exponent is too large to be checked"},
		{`{"type":"number"}`, `1e0000000999`, ""},
		{`{"properties":{"l":{"items":{}}}}`, `{"l":[0,-1.5E+0001001]}`, "l[1] is the number -1.5E+0001001"},
		{`{"$defs":{"n":{"properties":{"next":{"$ref":"#/$defs/n"},"v":{"type":"string"}}}},"$ref":"#/$defs/n"}`, `{"next":{"next":{"v":1}}}`, "next.next.v must be a string, it is a number"},
	} {
		s, err := workflow.NewSchema([]byte(c.schema))
		if err != nil {
			t.Errorf("%s: %v", c.schema, err)
			continue
		}
		err = s.Check(event.Raw([]byte(c.value)))
		if c.want == "" {
			if err != nil {
				t.Errorf("%s, %s: %v", c.schema, c.value, err)
			}
			continue
		}
		var bad *workflow.SchemaError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: %v, want %s", c.schema, c.value, err, c.want)
		}
	}
	var none *workflow.Schema
	if err := none.Check(event.Text("anything")); err != nil {
		t.Errorf("no schema: %v", err)
	}
	if _, err := workflow.NewSchema([]byte(`{"$ref":"https://example.com/x.json"}`)); err == nil {
		t.Error("a schema was fetched from the network")
	}
	if _, err := workflow.NewSchema([]byte(`{"$ref":"file:///etc/hostname"}`)); err == nil {
		t.Error("a schema was read from anywhere")
	}
}
