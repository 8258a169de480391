package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/expr-lang/expr/checker/nature"
)

// NewTemplate makes a template for a Plan that is built in Go. v is JSON as
// event.Value.Any gives it, or Go numbers; node returns the place in Plan.Nodes
// of a node that expressions may name (nil: none). Item and index are known.
func NewTemplate(v any, node func(id string) (int, bool)) (*Template, error) {
	root, err := madePart(v, madeNames(node))
	if err != nil {
		return nil, err
	}
	return newTemplate(root), nil
}

// NewExpr is NewTemplate for a condition.
func NewExpr(source string, node func(id string) (int, bool)) (*Expr, error) {
	e, _, errs := newExpr(source, madeNames(node), origin{})
	return e, joined(errs)
}

func madeNames(node func(id string) (int, bool)) *names {
	words := newVocabulary()
	return &names{words: words, inItem: true, node: func(id string, _ int) (int, nature.Nature, *exprError) {
		if node != nil {
			if i, ok := node(id); ok {
				return i, words.anyNode, nil
			}
		}
		return 0, nature.Nature{}, &exprError{code: "unknown_node", message: fmt.Sprintf("there is no node %q", id)}
	}}
}

func madePart(v any, n *names) (part, error) {
	switch v := v.(type) {
	case string:
		var base int
		p, _, errs := text(v, n, &base, func(int) origin { return origin{} })
		return p, joined(errs)
	case []any:
		p := part{kind: listPart}
		for _, item := range v {
			inner, err := madePart(item, n)
			if err != nil {
				return part{}, err
			}
			p.list = append(p.list, inner)
		}
		return p, nil
	case map[string]any:
		p := part{kind: objectPart}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			inner, err := madePart(v[k], n)
			if err != nil {
				return part{}, err
			}
			p.fields = append(p.fields, field{k, inner})
		}
		return p, nil
	case nil, bool, json.Number:
		return part{value: v}, nil
	case int:
		return part{value: json.Number(fmt.Sprint(v))}, nil
	}
	m := machine{effort: effortBudget}
	plainValue, _, err := m.plain(0, v, 0)
	return part{value: plainValue}, err
}

func joined(errs []*exprError) error {
	var all []error
	for _, e := range errs {
		all = append(all, e)
	}
	return errors.Join(all...)
}
