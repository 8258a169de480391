package workflow

import (
	"fmt"
	"reflect"

	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/checker/nature"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The types of values as the checker of expressions knows them. The zero Nature
// is any: nothing is known.
var (
	stringNature  = nature.NatureOf("")
	boolNature    = nature.NatureOf(true)
	integerNature = nature.NatureOf(0)
	numberNature  = nature.NatureOf(0.0)
	listNature    = nature.NatureOf([]any{})
)

// vocabulary are the types of what the host itself provides, and the tools that
// compile expressions. The checker writes into types and configuration as it
// looks at them, so every Load has a vocabulary of its own.
type vocabulary struct {
	run, failure, anyNode nature.Nature
	config                conf.Config
}

// parse parses an expression. Every time with a new parser: expr 1.17.8 offers
// to use one again, but its lexer begins where the expression before ended.
func (v *vocabulary) parse(source string) (*parser.Tree, error) {
	v.config.Env = nature.NatureOf(map[string]any{}) // no name is overridden
	return parser.ParseWithConfig(source, &v.config)
}

func newVocabulary() *vocabulary {
	v := &vocabulary{
		config: *language,
		run:    object(map[string]nature.Nature{"id": stringNature, "workflow": stringNature}, true),
		failure: object(map[string]nature.Nature{
			"node": stringNature, "plugin": stringNature, "class": stringNature, "code": stringNature, "message": stringNature,
			"retry_after_ms": integerNature, "attempt": integerNature, "outcome_unknown": boolNature,
		}, true),
	}
	v.anyNode = v.node(nature.Nature{})
	return v
}

// node is the type of a node whose output has the given type.
func (v *vocabulary) node(output nature.Nature) nature.Nature {
	return object(map[string]nature.Nature{"output": output, "error": v.failure, "status": stringNature}, true)
}

// objectType is the Go type of every object.
var objectType = reflect.TypeFor[map[string]any]()

// object is the type of an object; a closed one has the given fields only.
func object(fields map[string]nature.Nature, closed bool) nature.Nature {
	t := nature.NatureOf(map[string]any{})
	t.TypeData = &nature.TypeData{Fields: fields}
	if fields == nil {
		t.Fields = map[string]nature.Nature{}
	}
	t.Strict = closed
	if !closed {
		t.DefaultMapValue = &nature.Nature{}
	}
	return t
}

func list(of nature.Nature) nature.Nature {
	t := nature.NatureOf([]any{})
	t.Ref = &of
	return t
}

// maxTypeDepth cuts the types of schemas that refer to themselves.
const maxTypeDepth = 8

// natureOf is what a schema promises about values, as far as the checker can
// use it. Where the schema leaves a choice it is any.
func natureOf(s *jsonschema.Schema, depth int) nature.Nature {
	if s == nil || depth > maxTypeDepth || s.Bool != nil {
		return nature.Nature{}
	}
	if s.Ref != nil && s.Types == nil {
		return natureOf(s.Ref, depth+1)
	}
	if s.Types == nil {
		return nature.Nature{}
	}
	names := s.Types.ToStrings()
	if len(names) != 1 {
		return nature.Nature{}
	}
	switch names[0] {
	case "string":
		return stringNature
	case "boolean":
		return boolNature
	case "integer":
		return integerNature
	case "number":
		return numberNature
	case "array":
		items := s.Items2020
		if one, ok := s.Items.(*jsonschema.Schema); ok && items == nil {
			items = one
		}
		if len(s.PrefixItems) > 0 {
			items = nil
		}
		return list(natureOf(items, depth+1))
	case "object":
		fields := make(map[string]nature.Nature, len(s.Properties))
		for name, p := range s.Properties {
			fields[name] = natureOf(p, depth+1)
		}
		return object(fields, closed(s))
	}
	return nature.Nature{}
}

// closed reports whether a schema allows no other properties than it names.
func closed(s *jsonschema.Schema) bool {
	allowed, ok := s.AdditionalProperties.(bool)
	return ok && !allowed && len(s.PatternProperties) == 0 &&
		s.AllOf == nil && s.AnyOf == nil && s.OneOf == nil && s.If == nil && s.Ref == nil
}

// kindOf names what a type is in JSON, "" when it may be anything.
func kindOf(t nature.Nature) string {
	if t.Nil {
		return "null"
	}
	if t.Type == nil {
		return ""
	}
	switch t.Kind {
	case reflect.Bool:
		return "a boolean"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "a list"
	case reflect.Map:
		return "an object"
	case reflect.Interface:
		return ""
	}
	if t.IsNumber() {
		return "a number"
	}
	return ""
}

// typeCheck runs the checker; a panic in it is an error like any other.
func typeCheck(tree *parser.Tree, c *conf.Config) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the type checker gave up: %v", r)
		}
	}()
	_, err = checker.Check(tree, c)
	return err
}
