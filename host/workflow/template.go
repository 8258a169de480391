package workflow

import (
	"context"
	"fmt"
	"strings"

	"github.com/expr-lang/expr/checker/nature"

	"wasmhost/host/event"
)

// Template is a value whose strings may hold {{ expressions }}. It is immutable
// and safe for concurrent use.
type Template struct {
	root part
	// constant holds the value of a template without expressions.
	constant *event.Value
}

// part is a piece of a template; exactly one of its fields says what it is.
type part struct {
	value  any // a constant, when nothing else is set
	expr   *Expr
	mixed  []part // text and expressions in one string
	list   []part
	fields []field
	kind   partKind
}

type partKind uint8

const (
	constantPart partKind = iota
	exprPart
	mixedPart
	listPart
	objectPart
)

type field struct {
	name string
	part part
}

// Constant returns the value of a template that holds no expression.
func (t *Template) Constant() (event.Value, bool) {
	if t == nil || t.constant == nil {
		return event.Null, false
	}
	return *t.constant, true
}

// Render evaluates the template. A string that is one expression and nothing
// else keeps the expression's type; within other text a value that is no string
// is written as JSON. An error is an *event.Error of class permanent and code
// "expression" that names the place.
func (t *Template) Render(ctx context.Context, s *Scope) (event.Value, error) {
	switch {
	case t == nil:
		return event.Null, nil
	case t.constant != nil:
		return *t.constant, nil
	case t.root.kind == exprPart:
		return t.root.expr.Value(ctx, s)
	}
	v, err := t.root.render(ctx, s)
	if err != nil {
		return event.Null, err
	}
	return event.Of(v), nil
}

// List renders a for_each: the value must be a list.
func (t *Template) List(ctx context.Context, s *Scope) ([]event.Value, error) {
	v, err := t.Render(ctx, s)
	if err != nil {
		return nil, err
	}
	list, ok := v.Any().([]any)
	if !ok {
		f := faultf(0, "for_each goes over a list, this is %s", describe(v.Any()))
		if t.root.kind == exprPart {
			return nil, t.root.expr.failure(f)
		}
		return nil, &event.Error{Class: event.Permanent, Code: "expression", Message: f.Error()}
	}
	out := make([]event.Value, len(list))
	for i, item := range list {
		out[i] = event.Of(item)
	}
	return out, nil
}

func (p *part) render(ctx context.Context, s *Scope) (any, error) {
	switch p.kind {
	case exprPart:
		v, err := p.expr.Value(ctx, s)
		if err != nil {
			return nil, err
		}
		return v.Any(), nil
	case mixedPart:
		var b strings.Builder
		for i := range p.mixed {
			piece := &p.mixed[i]
			if piece.kind == constantPart {
				b.WriteString(piece.value.(string))
				continue
			}
			v, err := piece.expr.Value(ctx, s)
			if err != nil {
				return nil, err
			}
			b.WriteString(v.String())
		}
		return b.String(), nil
	case listPart:
		list := make([]any, len(p.list))
		for i := range p.list {
			v, err := p.list[i].render(ctx, s)
			if err != nil {
				return nil, err
			}
			list[i] = v
		}
		return list, nil
	case objectPart:
		object := make(map[string]any, len(p.fields))
		for i := range p.fields {
			v, err := p.fields[i].part.render(ctx, s)
			if err != nil {
				return nil, err
			}
			object[p.fields[i].name] = v
		}
		return object, nil
	}
	return p.value, nil
}

// isConstant reports whether nothing in p needs a scope.
func (p *part) isConstant() bool {
	switch p.kind {
	case exprPart, mixedPart:
		return false
	case listPart:
		for i := range p.list {
			if !p.list[i].isConstant() {
				return false
			}
		}
	case objectPart:
		for i := range p.fields {
			if !p.fields[i].part.isConstant() {
				return false
			}
		}
	}
	return true
}

func newTemplate(root part) *Template {
	t := &Template{root: root}
	if root.isConstant() {
		v, _ := root.render(context.Background(), &Scope{})
		constant := event.Of(v)
		t.constant = &constant
	}
	return t
}

// piece is a stretch of a string: text, or the expression between {{ and }}.
type piece struct {
	text string
	expr bool
	at   int // where text begins in the string
}

// pieces cuts a string at its expressions. Quotes and brackets inside an
// expression are respected, so that {{ "}}" }} and {{ {"a": {}} }} are what they
// look like.
func pieces(s string) ([]piece, *exprError) {
	var out []piece
	for at := 0; at < len(s); {
		open := strings.Index(s[at:], "{{")
		if open < 0 {
			out = append(out, piece{text: s[at:], at: at})
			break
		}
		if open > 0 {
			out = append(out, piece{text: s[at : at+open], at: at})
		}
		start := at + open + 2
		end := closing(s[start:])
		if end < 0 {
			return nil, &exprError{at: at + open, width: 2, code: "bad_expression",
				message: "{{ is never closed", hint: `end the expression with }}; a literal {{ is written {{ "{{" }}`}
		}
		text := s[start : start+end]
		lead := len(text) - len(strings.TrimLeft(text, " \t\r\n"))
		out = append(out, piece{text: strings.TrimSpace(text), expr: true, at: start + lead})
		at = start + end + 2
	}
	return out, nil
}

// closing finds the }} that ends an expression, -1 when there is none.
func closing(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\'':
			for i++; i < len(s) && s[i] != c; i++ {
				if s[i] == '\\' {
					i++
				}
			}
		case '`':
			for i++; i < len(s) && s[i] != '`'; i++ {
			}
		case '{':
			depth++
		case '}':
			if depth > 0 {
				depth--
			} else if i+1 < len(s) && s[i+1] == '}' {
				return i
			}
		}
	}
	return -1
}

// maxExpression bounds the text of one expression.
const maxExpression = 16 << 10

// text makes the part of a string, and says its type where that is known. at is
// where an expression at an offset of the string stands; base is set to the
// offset of the expression that is compiled.
func text(s string, n *names, base *int, at func(offset int) origin) (part, nature.Nature, []*exprError) {
	if !strings.Contains(s, "{{") {
		return part{value: s}, stringNature, nil
	}
	found, bad := pieces(s)
	if bad != nil {
		return part{}, nature.Nature{}, []*exprError{bad}
	}
	kind := stringNature
	var errs []*exprError
	mixed := make([]part, 0, len(found))
	for _, p := range found {
		if !p.expr {
			mixed = append(mixed, part{value: p.text})
			continue
		}
		*base = p.at
		e, t, problems := newExpr(p.text, n, at(p.at))
		if len(found) == 1 {
			kind = t
		}
		for _, problem := range problems {
			problem.at += p.at
			errs = append(errs, problem)
		}
		if e != nil {
			if c, ok := e.root.(constOp); ok {
				if literal, ok := c.v.(string); ok { // {{ "{{" }}
					mixed = append(mixed, part{value: literal})
					continue
				}
			}
		}
		mixed = append(mixed, part{kind: exprPart, expr: e})
	}
	switch {
	case len(errs) > 0:
		return part{}, nature.Nature{}, errs
	case len(mixed) == 1:
		return mixed[0], kind, nil
	}
	p := part{kind: mixedPart, mixed: mixed}
	for i := range mixed {
		if mixed[i].kind != constantPart {
			return p, kind, nil
		}
	}
	var b strings.Builder
	for i := range mixed {
		b.WriteString(mixed[i].value.(string))
	}
	return part{value: b.String()}, kind, nil
}

// newExpr compiles one expression and returns its type.
func newExpr(source string, n *names, at origin) (*Expr, nature.Nature, []*exprError) {
	if len(source) > maxExpression {
		return nil, nature.Nature{}, []*exprError{{width: 1, code: "bad_expression",
			message: fmt.Sprintf("the expression has %d bytes; at most %d are read", len(source), maxExpression)}}
	}
	root, t, errs := compile(source, n)
	if len(errs) > 0 {
		return nil, nature.Nature{}, errs
	}
	return &Expr{source: source, origin: at, root: root}, t, nil
}
