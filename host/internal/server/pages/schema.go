package pages

import (
	"bytes"
	"encoding/json"
	"errors"
)

// schema is what a form needs of a JSON Schema. What it does not know is not
// lost: the service checks every input against the whole schema.
type schema struct {
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Type        kindsOf           `json:"type"`
	Enum        []json.RawMessage `json:"enum"`
	Const       json.RawMessage   `json:"const"`
	Default     json.RawMessage   `json:"default"`
	Examples    []json.RawMessage `json:"examples"`
	Format      string            `json:"format"`
	Properties  properties        `json:"properties"`
	Required    []string          `json:"required"`
	MinLength   int               `json:"minLength"`
	MaxLength   int               `json:"maxLength"`
	Minimum     json.Number       `json:"minimum"`
	Maximum     json.Number       `json:"maximum"`
	Pattern     string            `json:"pattern"`
	Ref         string            `json:"$ref"`
	AnyOf       []json.RawMessage `json:"anyOf"`
	OneOf       []json.RawMessage `json:"oneOf"`
}

// kindsOf is the type of a schema: one name, or several.
type kindsOf []string

func (k *kindsOf) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*k = kindsOf{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(text, &many); err != nil {
		return err
	}
	*k = many
	return nil
}

// one is the only type beside null, "" when there are several or none.
func (k kindsOf) one() string {
	only := ""
	for _, t := range k {
		if t == "null" {
			continue
		}
		if only != "" {
			return ""
		}
		only = t
	}
	return only
}

// property is a named part of an object's schema.
type property struct {
	Name   string
	Schema schema
}

// properties keep the order in which the author wrote them.
type properties []property

func (p *properties) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("properties is no object")
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		var part json.RawMessage
		if err := d.Decode(&part); err != nil {
			return err
		}
		one := property{Name: name}
		// true and false are schemas too: anything, which is what the zero one takes.
		if string(part) != "true" && string(part) != "false" {
			if err := json.Unmarshal(part, &one.Schema); err != nil {
				return err
			}
		}
		*p = append(*p, one)
	}
	return nil
}
