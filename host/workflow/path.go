package workflow

import (
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker/nature"
	"github.com/expr-lang/expr/file"
)

// path compiles what most expressions are, a path such as nodes.a.output.text,
// without the parser and the checker. false: it is something else, or something
// is wrong with it, which they say better.
func (c *compiler) path() (op, nature.Nature, bool) {
	var root ast.Node
	var keys []string
	for at := 0; ; {
		end := at
		for end < len(c.source) && (c.source[end] == '_' || c.source[end]|0x20 >= 'a' && c.source[end]|0x20 <= 'z' || end > at && c.source[end] >= '0' && c.source[end] <= '9') {
			end++
		}
		name := c.source[at:end]
		if name == "" || root == nil && !slices.Contains(rootNames, name) {
			return nil, nature.Nature{}, false
		}
		here := file.Location{From: at, To: end}
		if root == nil {
			root = &ast.IdentifierNode{Value: name}
		} else {
			property := &ast.StringNode{Value: name}
			property.SetLocation(here)
			root = &ast.MemberNode{Node: root, Property: property}
		}
		root.SetLocation(here)
		keys = append(keys, name)
		if end == len(c.source) {
			break
		}
		if c.source[end] != '.' {
			return nil, nature.Nature{}, false
		}
		at = end + 1
	}
	compiled := c.op(root)
	t, ok := c.pathType(keys)
	if len(c.errs) > 0 || !ok {
		c.errs = nil
		return nil, nature.Nature{}, false
	}
	return compiled, t, true
}

// pathType is the type of a path; false where the checker would object.
func (c *compiler) pathType(keys []string) (t nature.Nature, ok bool) {
	switch keys[0] {
	case "input":
		t = c.names.input
	case "item":
		t = c.names.item
	case "index":
		t = integerNature
	case "run":
		t = c.names.words.run
	default:
		if len(keys) < 2 {
			return t, false
		}
		if len(c.nodes) != 1 { // what cannot be named was not
			return t, false
		}
		t, keys = c.nodes[0].t, keys[1:]
	}
	for _, key := range keys[1:] {
		if t.Type == nil && !t.Nil {
			return t, true
		}
		if t.TypeData == nil || t.Fields == nil || t.Type != objectType {
			return t, false
		}
		field, ok := t.Fields[key]
		if !ok && t.Strict {
			return t, false
		}
		t = field
	}
	return t, true
}
