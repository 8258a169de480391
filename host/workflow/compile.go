package workflow

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker/nature"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
)

// names is what an expression may refer to where it stands.
type names struct {
	// node returns the place of a node in the plan and its type (an object of
	// output, error and status), or why it cannot be named here. at is the byte
	// of the expression where the id stands.
	node  func(id string, at int) (index int, t nature.Nature, err *exprError)
	ids   func() iter.Seq[string] // node ids, for hints
	words *vocabulary
	input nature.Nature
	item  nature.Nature
	// inItem is true where item and index exist; where they do not, noItem says
	// why.
	inItem bool
}

// language is the configuration of the parser and the checker that does not
// depend on the place. It is only read.
var language = func() *conf.Config {
	c := conf.CreateNew()
	for name := range c.Builtins {
		if _, ok := loops[name]; !ok {
			c.Disabled[name] = true
		}
	}
	c.Builtins = conf.FunctionsTable{}
	c.Functions = checked
	c.Optimize = false
	c.Strict = true
	c.MaxNodes = 5_000
	return c
}()

// compiler turns one expression into ops.
type compiler struct {
	source string
	names  *names
	errs   []*exprError
	lets   []string
	loops  int
	nodes  []namedNode // in the order in which they are named
	config *conf.Config
}

// namedNode is a node that an expression names, as the checker sees it. Most
// expressions name one, for which a map would be the dearest part.
type namedNode struct {
	id string
	t  nature.Nature
}

func (c *compiler) nodesByID() map[string]nature.Nature {
	m := make(map[string]nature.Nature, len(c.nodes))
	for _, n := range c.nodes {
		m[n.id] = n.t
	}
	return m
}

// compile returns the ops of an expression and its type, or everything that is
// wrong with it. want is what the value must be, any when it is noKind.
func compile(source string, n *names) (op, nature.Nature, []*exprError) {
	c := &compiler{source: source, names: n, config: &n.words.config}
	if strings.TrimSpace(source) == "" {
		return nil, nature.Nature{}, []*exprError{{width: len(source), code: "bad_expression", message: "the expression is empty"}}
	}
	if root, t, ok := c.path(); ok {
		return root, t, nil
	}
	tree, err := n.words.parse(source)
	if err != nil {
		return nil, nature.Nature{}, []*exprError{c.foreign(err)}
	}
	root := c.op(tree.Node)
	for _, e := range c.errs {
		if e.alone { // what follows from it says nothing new
			return nil, nature.Nature{}, []*exprError{e}
		}
	}
	if len(c.errs) > 0 {
		return nil, nature.Nature{}, c.errs
	}
	t, typeErr := c.check(tree)
	if typeErr != nil {
		return nil, nature.Nature{}, []*exprError{typeErr}
	}
	return root, t, nil
}

// foreign is an error of the parser or the checker.
func (c *compiler) foreign(err error) *exprError {
	e := &exprError{code: "bad_expression", message: err.Error(), width: 1}
	var f *file.Error
	if errors.As(err, &f) {
		e.at = byteOffset(c.source, f.From)
		e.message = inJSON(strings.TrimSpace(f.Message))
		if f.To > f.From {
			e.width = f.To - f.From
		}
	}
	return e
}

// inJSON turns Go's names of types, as the library says them, into JSON's.
func inJSON(message string) string {
	message = strings.NewReplacer(
		"map[string]interface {}", "object", "[]interface {}", "list", "interface {}", "any",
		"unexpected token EOF", "the expression ends too early",
	).Replace(message)
	return goTypes.ReplaceAllStringFunc(message, func(t string) string {
		return map[string]string{"int": "integer", "float64": "number", "bool": "boolean", "nil": "null"}[t]
	})
}

var goTypes = regexp.MustCompile(`\b(int|float64|bool|nil)\b`)

func (c *compiler) at(n ast.Node) int { return byteOffset(c.source, n.Location().From) }

func (c *compiler) fail(n ast.Node, code, hint, format string, args ...any) op {
	e := &exprError{at: c.at(n), code: code, message: fmt.Sprintf(format, args...), hint: hint, width: 1}
	if l := n.Location(); l.To > l.From {
		e.width = l.To - l.From
	}
	c.errs = append(c.errs, e)
	return constOp{}
}

func (c *compiler) ops(nodes []ast.Node) []op {
	out := make([]op, len(nodes))
	for i, n := range nodes {
		out[i] = c.op(n)
	}
	return out
}

func (c *compiler) op(n ast.Node) op {
	switch n := n.(type) {
	case *ast.NilNode:
		return constOp{nil}
	case *ast.BoolNode:
		return constOp{n.Value}
	case *ast.IntegerNode:
		return constOp{int64(n.Value)}
	case *ast.FloatNode:
		return constOp{n.Value}
	case *ast.StringNode:
		return constOp{n.Value}
	case *ast.IdentifierNode:
		return c.identifier(n)
	case *ast.UnaryNode:
		switch n.Operator {
		case "!", "not":
			return &notOp{of: c.op(n.Node), at: c.at(n)}
		case "-", "+":
			return &negateOp{of: c.op(n.Node), plus: n.Operator == "+", at: c.at(n)}
		}
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ChainNode:
		return chainOp{c.op(n.Node)}
	case *ast.MemberNode:
		return c.member(n, false)
	case *ast.SliceNode:
		s := &sliceOp{of: c.op(n.Node), at: c.at(n)}
		if n.From != nil {
			s.from = c.op(n.From)
		}
		if n.To != nil {
			s.to = c.op(n.To)
		}
		return s
	case *ast.CallNode:
		return c.call(n)
	case *ast.BuiltinNode:
		return c.loop(n)
	case *ast.PointerNode:
		if c.loops == 0 {
			return c.fail(n, "bad_expression", "", "# is known only inside a loop such as filter(list, # > 1)")
		}
		return pointerOp{n.Name}
	case *ast.VariableDeclaratorNode:
		value := c.op(n.Value)
		c.lets = append(c.lets, n.Name)
		body := c.op(n.Expr)
		c.lets = c.lets[:len(c.lets)-1]
		return letOp{value, body}
	case *ast.SequenceNode:
		return seqOp{c.ops(n.Nodes)}
	case *ast.ConditionalNode:
		return &condOp{cond: c.op(n.Cond), yes: c.op(n.Exp1), no: c.op(n.Exp2), at: c.at(n.Cond)}
	case *ast.ArrayNode:
		return &listOp{items: c.ops(n.Nodes), at: c.at(n)}
	case *ast.MapNode:
		o := &objectOp{at: c.at(n)}
		for _, p := range n.Pairs {
			pair := p.(*ast.PairNode)
			o.keys = append(o.keys, c.op(pair.Key))
			o.values = append(o.values, c.op(pair.Value))
		}
		return o
	case *ast.BytesNode:
		return c.fail(n, "bad_expression", `write "…" instead of b"…"`, "bytes are no JSON value")
	}
	return c.fail(n, "bad_expression", "", "%s cannot be used here", strings.TrimPrefix(fmt.Sprintf("%T", n), "*ast."))
}

var rootNames = []string{"input", "nodes", "run", "item", "index"}

func (c *compiler) identifier(n *ast.IdentifierNode) op {
	for i := len(c.lets) - 1; i >= 0; i-- {
		if c.lets[i] == n.Value {
			return varOp{i}
		}
	}
	switch n.Value {
	case "input":
		return inputOp{}
	case "item", "index":
		if !c.names.inItem {
			return c.fail(n, "bad_expression", "give the node a for_each, or take the value from input or nodes", "%s is known only in a node with for_each", n.Value)
		}
		if n.Value == "item" {
			return itemOp{}
		}
		return indexOp{}
	case "run":
		return runOp{whole: true}
	case "nodes":
		return c.fail(n, "bad_expression", "write nodes.ID.output", "nodes is no value by itself; name a node and one of output, error and status")
	case "null":
		return constOp{nil}
	}
	hint := didYouMean(n.Value, slices.Values(rootNames))
	if _, ok := functions[n.Value]; ok {
		hint = "it is a function: write " + n.Value + "(…)"
	} else if hint == "" {
		hint = "there are " + strings.Join(rootNames, ", ")
	}
	if c.names.ids != nil && hint != "" && !strings.HasPrefix(hint, "did") && slices.Contains(slices.Collect(c.names.ids()), n.Value) {
		hint = "write nodes." + n.Value + ".output"
	}
	return c.fail(n, "bad_expression", hint, "unknown name %s", n.Value)
}

func (c *compiler) binary(n *ast.BinaryNode) op {
	switch n.Operator {
	case "&&", "and", "||", "or":
		return &logicOp{left: c.op(n.Left), right: c.op(n.Right), or: n.Operator == "||" || n.Operator == "or", at: c.at(n)}
	case "??":
		left := n.Left
		if m, ok := left.(*ast.MemberNode); ok {
			return coalesceOp{c.member(m, true), c.op(n.Right)}
		}
		if chain, ok := left.(*ast.ChainNode); ok {
			if m, ok := chain.Node.(*ast.MemberNode); ok {
				return coalesceOp{chainOp{c.member(m, true)}, c.op(n.Right)}
			}
		}
		return coalesceOp{c.op(left), c.op(n.Right)}
	case "matches":
		o := &matchOp{left: c.op(n.Left), right: c.op(n.Right), at: c.at(n)}
		if s, ok := n.Right.(*ast.StringNode); ok {
			pattern, err := regexp.Compile(s.Value)
			if err != nil {
				return c.fail(n.Right, "bad_regexp", "", "%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
			}
			o.pattern = pattern
		}
		return o
	}
	return &binaryOp{operator: n.Operator, left: c.op(n.Left), right: c.op(n.Right), at: c.at(n)}
}

// member is base.key; nodes.ID and nodes.ID.output are ops of their own.
func (c *compiler) member(n *ast.MemberNode, soft bool) op {
	if id, ok := n.Node.(*ast.IdentifierNode); ok && !slices.Contains(c.lets, id.Value) {
		key, isName := n.Property.(*ast.StringNode)
		switch {
		case id.Value == "nodes" && !isName:
			return c.fail(n.Property, "bad_expression", "write nodes.ID.output", "the node must be named in the file, it cannot be computed")
		case id.Value == "nodes":
			return c.node(n.Property, key.Value, "")
		case id.Value == "run" && isName && (key.Value == "id" || key.Value == "workflow"):
			return runOp{workflow: key.Value == "workflow"}
		case id.Value == "run" && isName && !n.Optional:
			return c.fail(n.Property, "bad_expression", didYouMean(key.Value, slices.Values([]string{"id", "workflow"})), "run has id and workflow, no %s", key.Value)
		case id.Value == "$env":
			return c.fail(id, "bad_expression", "", "$env is not available")
		}
	}
	if base, ok := n.Node.(*ast.MemberNode); ok {
		if id, ok := base.Node.(*ast.IdentifierNode); ok && id.Value == "nodes" && !slices.Contains(c.lets, "nodes") {
			node, isName := base.Property.(*ast.StringNode)
			field, isField := n.Property.(*ast.StringNode)
			if isName && isField {
				switch field.Value {
				case "output", "error", "status":
					return c.node(base.Property, node.Value, field.Value)
				}
				hint := didYouMean(field.Value, slices.Values([]string{"output", "error", "status"}))
				if hint == "" {
					hint = fmt.Sprintf("its output's fields are nodes.%s.output.%s", node.Value, field.Value)
				}
				c.node(base.Property, node.Value, "")
				return c.fail(n.Property, "bad_expression", hint, "a node has output, error and status, no %s", field.Value)
			}
		}
	}
	var base op
	if inner, ok := n.Node.(*ast.MemberNode); ok {
		base = c.member(inner, soft)
	} else {
		base = c.op(n.Node)
	}
	m := &memberOp{base: base, optional: n.Optional, soft: soft, at: c.at(n.Property), text: c.text(n)}
	if key, ok := n.Property.(*ast.StringNode); ok {
		m.key = key.Value
	} else {
		m.prop = c.op(n.Property)
	}
	return m
}

// text is the base of a member as it is written.
func (c *compiler) text(n *ast.MemberNode) string {
	first := n.Node
	for {
		m, ok := first.(*ast.MemberNode)
		if !ok {
			break
		}
		first = m.Node
	}
	from, to := c.at(first), c.at(n.Property)
	if _, ok := first.(*ast.IdentifierNode); !ok || from >= to {
		return n.Node.String()
	}
	return strings.TrimRight(c.source[from:to], " \t\r\n.?[\"'`")
}

// node is nodes.ID.field.
func (c *compiler) node(at ast.Node, id, field string) op {
	index, t, err := c.names.node(id, c.at(at))
	if err != nil {
		e := *err
		e.at, e.width = c.at(at), len(id)
		c.errs = append(c.errs, &e)
		return constOp{}
	}
	c.nodes = append(c.nodes, namedNode{id, t})
	if field == "output" {
		return &nodeOutputOp{index: index, id: id}
	}
	return nodeOp{index: index, id: id, field: field}
}

func (c *compiler) call(n *ast.CallNode) op {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return c.fail(n, "bad_expression", "", "values have no methods; call a function: f(value)")
	}
	f, ok := functions[id.Value]
	if !ok {
		all := func(yield func(string) bool) {
			for name := range functions {
				if !yield(name) {
					return
				}
			}
			for name := range maps.Keys(loops) {
				if !yield(name) {
					return
				}
			}
		}
		return c.fail(n, "bad_expression", didYouMean(id.Value, all), "unknown function %s", id.Value)
	}
	return &callOp{fn: f, args: c.ops(n.Arguments), at: c.at(n)}
}

func (c *compiler) loop(n *ast.BuiltinNode) op {
	run, ok := loops[n.Name]
	if !ok {
		return c.fail(n, "bad_expression", "", "unknown function %s", n.Name)
	}
	o := &loopOp{name: n.Name, run: run, list: c.op(n.Arguments[0]), at: c.at(n)}
	c.loops++
	for i, a := range n.Arguments[1:] {
		if p, ok := a.(*ast.PredicateNode); ok {
			o.body = c.op(p.Node)
		} else if i == 1 {
			c.loops--
			o.extra = c.op(a)
			c.loops++
		}
	}
	c.loops--
	return o
}

// check runs the type checker and returns the type of the whole.
func (c *compiler) check(tree *parser.Tree) (nature.Nature, *exprError) {
	fields := map[string]nature.Nature{
		"input": c.names.input, "run": c.names.words.run, "null": {Nil: true}, "nodes": object(c.nodesByID(), true),
	}
	if c.names.inItem {
		fields["item"], fields["index"] = c.names.item, integerNature
	}
	c.config.Env = object(fields, true)
	if err := typeCheck(tree, c.config); err != nil {
		e := c.foreign(err)
		if field, ok := strings.CutPrefix(e.message, "unknown field "); ok {
			e.message = "there is no " + strconv.Quote(field) + " here, says the schema"
			e.hint = fieldHint(tree.Node, e.at, field, c.source)
			e.width = len(field)
		}
		return nature.Nature{}, e
	}
	return *tree.Node.Nature(), nil
}

// fieldHint proposes a field of the object in which the one at offset at is
// missing.
func fieldHint(root ast.Node, at int, field, source string) string {
	hint := ""
	ast.Walk(&root, visitor(func(n ast.Node) {
		m, ok := n.(*ast.MemberNode)
		if !ok || byteOffset(source, m.Property.Location().From) != at {
			return
		}
		if t := m.Node.Nature(); t.TypeData != nil && hint == "" {
			hint = didYouMean(field, maps.Keys(t.Fields))
			if hint == "" && len(t.Fields) > 0 {
				hint = "there are " + someOf(slices.Values(slices.Sorted(maps.Keys(t.Fields))))
			}
		}
	}))
	return hint
}

type visitor func(ast.Node)

// Visit calls v.
func (v visitor) Visit(n *ast.Node) { v(*n) }
