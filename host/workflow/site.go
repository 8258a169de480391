package workflow

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/checker/nature"
)

// site is where expressions stand: which node carries them decides what they
// may name.
type site struct {
	b      *builder
	node   int // place in plan.Nodes; their number for the workflow's output
	inItem bool
	item   nature.Nature
}

// names are what expressions of a string may refer to.
func (s *site) names(v *item, base *int) *names {
	b := s.b
	return &names{
		words:  b.words,
		input:  b.inputType(),
		item:   s.item,
		inItem: s.inItem,
		ids:    b.root.table("nodes").keys,
		node: func(id string, at int) (int, nature.Nature, *exprError) {
			return s.find(id, v, *base+at)
		},
	}
}

// find resolves nodes.ID.
func (s *site) find(id string, v *item, at int) (int, nature.Nature, *exprError) {
	b := s.b
	i, ok := b.ids[id]
	if !ok {
		if b.lostHeader {
			return 0, nature.Nature{}, nil
		}
		keys := b.root.table("nodes").keys()
		hint, dashed := didYouMean(id, keys), false
		for key := range keys {
			if strings.HasPrefix(key, id+"-") {
				hint, dashed = fmt.Sprintf("an id with %q is written nodes[%q]", "-", key), true
			}
		}
		if hint == "" {
			hint = "there are " + someOf(b.root.table("nodes").keys())
		}
		return 0, nature.Nature{}, &exprError{code: "unknown_node", message: fmt.Sprintf("there is no node %q", id), hint: hint, alone: dashed}
	}
	if s.node == i {
		return 0, nature.Nature{}, &exprError{code: "not_upstream", message: fmt.Sprintf("node %q cannot look at itself", id)}
	}
	if s.node < len(b.plan.Nodes) && !b.cyclic {
		b.upstream(s.node, i, v, at)
	}
	return i, b.nodeType(&b.plan.Nodes[i]), nil
}

// origin is where byte offset of a string's value stands.
func (s *site) origin(v *item, offset int) origin {
	line, col := s.b.place(v.at)
	return origin{file: s.b.file, line: line, col: col, raw: s.b.raw(v), offset: offset}
}

// wrong reports what is wrong with an expression in a string.
func (s *site) wrong(v *item, errs []*exprError) {
	for _, e := range errs {
		s.b.sayIn(v, e.at, max(e.width, 1), e.code, e.hint, "%s", e.message)
	}
}

// condition compiles when: a string that is an expression, without braces.
func (s *site) condition(v *item) *Expr {
	if v == nil || v.kind != stringKind {
		return nil
	}
	base := len(v.text) - len(strings.TrimLeft(v.text, " \t\r\n"))
	source := strings.TrimSpace(v.text)
	if source == "" {
		return nil
	}
	if inner, ok := strings.CutPrefix(source, "{{"); ok && strings.HasSuffix(inner, "}}") {
		s.b.say(v, "bad_expression", fmt.Sprintf("write when = '%s'", strings.TrimSpace(strings.TrimSuffix(inner, "}}"))), "when is an expression already, it takes no {{ }}")
		return nil
	}
	e, t, errs := newExpr(source, s.names(v, &base), s.origin(v, base))
	for _, err := range errs {
		err.at += base
	}
	s.wrong(v, errs)
	if kind := kindOf(t); len(errs) == 0 && kind != "" && kind != "a boolean" {
		s.b.say(v, "bad_expression", "compare it with something: x == \"…\"", "when must be true or false, this is %s", kind)
	}
	return e
}

// list compiles for_each and returns the type of its items.
func (s *site) list(v *item) (*Template, nature.Nature) {
	t, of := s.typed(v)
	if kind := kindOf(of); t != nil && kind != "" && kind != "a list" {
		s.b.say(v, "bad_expression", "", "for_each goes over a list, this is %s", kind)
		return t, nature.Nature{}
	}
	if value, ok := t.Constant(); ok && t != nil {
		if _, isList := value.Any().([]any); !isList {
			s.b.say(v, "bad_expression", `write for_each = "{{ nodes.ID.output }}"`, "for_each goes over a list, this is %s", describe(value.Any()))
		}
	}
	if of.Kind == listNature.Kind && of.Ref != nil {
		return t, *of.Ref
	}
	return t, nature.Nature{}
}

func (s *site) template(v *item) *Template {
	t, _ := s.typed(v)
	return t
}

// typed compiles a value with templates and returns the type of a string that
// is one expression.
func (s *site) typed(v *item) (*Template, nature.Nature) {
	if v == nil {
		return nil, nature.Nature{}
	}
	var of nature.Nature
	root, ok := s.part(v, &of)
	if !ok {
		return nil, of
	}
	return newTemplate(root), of
}

func (s *site) part(v *item, of *nature.Nature) (part, bool) {
	switch v.kind {
	case stringKind:
		base := 0
		p, t, errs := text(v.text, s.names(v, &base), &base, func(offset int) origin { return s.origin(v, offset) })
		if len(errs) > 0 {
			s.wrong(v, errs)
			return part{}, false
		}
		*of = t
		return p, true
	case arrayKind:
		p := part{kind: listPart, list: make([]part, 0, len(v.items))}
		good := true
		for _, e := range v.items {
			inner, ok := s.part(e, of)
			good = good && ok
			p.list = append(p.list, inner)
		}
		*of = listNature
		return p, good
	case tableKind:
		p := part{kind: objectPart, fields: make([]field, 0, len(v.entries))}
		good := true
		for i := range v.entries {
			inner, ok := s.part(v.entries[i].item, of)
			good = good && ok
			p.fields = append(p.fields, field{v.entries[i].key, inner})
		}
		*of = object(nil, false)
		return p, good
	}
	value, ok := s.b.plainItem(v)
	return part{value: value}, ok
}

// nodeType is what expressions see of a node. Nodes of whose output nothing is
// known have one type together.
func (b *builder) nodeType(n *Node) nature.Nature {
	if t, ok := b.types[n.Index]; ok {
		return t
	}
	output := b.outputType(n)
	if output.Type == nil {
		return b.words.anyNode
	}
	if b.types == nil {
		b.types = map[int]nature.Nature{}
	}
	b.types[n.Index] = b.words.node(output)
	return b.types[n.Index]
}

// outputType is what is known of a node's output.
func (b *builder) outputType(n *Node) nature.Nature {
	t := n.Output.nature()
	if n.Output == nil && n.Kind == PluginNode && len(n.Fallbacks) == 0 {
		t = b.module(n.Primary.Plugin).output(n.Primary.Function)
	}
	if b.entries[n.Index].item.get("for_each") == nil {
		return t
	}
	if n.MinSuccess < 1 {
		return listNature // failed items are null
	}
	return list(t)
}

// inputType is what is known of the workflow's input.
func (b *builder) inputType() nature.Nature {
	if b.inputNature == nil {
		t := b.plan.Input.Schema.nature()
		b.inputNature = &t
	}
	return *b.inputNature
}
