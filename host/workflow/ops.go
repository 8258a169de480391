package workflow

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wasmhost/host/event"
)

// The ops that read the scope and build values. Operators are in operators.go,
// loops in loops.go, functions in functions.go.
type (
	constOp struct{ v any }
	inputOp struct{}
	itemOp  struct{}
	indexOp struct{}
	runOp   struct{ workflow, whole bool }

	// nodeOp is nodes.ID.field: output, error or status; "" is all three.
	nodeOp struct {
		index int
		id    string
		field string
	}
	// memberOp is base.key and base[key].
	memberOp struct {
		base     op
		key      string // when prop is nil
		prop     op
		optional bool // ?.: null on the left and a missing key are null
		soft     bool // under ??: a missing key is null
		at       int
		text     string // of base, for messages
	}
	chainOp struct{ of op } // ends a chain of ?.
	sliceOp struct {
		of, from, to op
		at           int
	}
	varOp  struct{ slot int }
	letOp  struct{ value, body op }
	seqOp  struct{ ops []op }
	condOp struct {
		cond, yes, no op
		at            int
	}
	listOp struct {
		items []op
		at    int
	}
	objectOp struct {
		keys, values []op
		at           int
	}
)

// cutOff is what a chain becomes behind a ?. that found null: the rest of the
// chain is skipped and the whole of it is null.
type cutOff struct{}

func (o constOp) eval(*machine) (any, error)         { return o.v, nil }
func (o inputOp) eval(m *machine) (any, error)       { return m.scope.Input.Any(), nil }
func (inputOp) value(s *Scope) event.Value           { return s.Input }
func (o indexOp) eval(m *machine) (any, error)       { return int64(m.scope.Index), nil }
func (o itemOp) eval(m *machine) (any, error)        { return m.scope.Item.Any(), nil }
func (itemOp) value(s *Scope) event.Value            { return s.Item }
func (o varOp) eval(m *machine) (any, error)         { return m.vars[o.slot], nil }
func (o nodeOp) view(s *Scope) NodeView              { return s.Node(o.index) }
func (o *nodeOutputOp) value(s *Scope) event.Value   { return s.Node(o.index).Output }
func (o *nodeOutputOp) eval(m *machine) (any, error) { return m.scope.Node(o.index).Output.Any(), nil }

// nodeOutputOp is nodes.ID.output, which may pass through as it came.
type nodeOutputOp struct {
	index int
	id    string
}

func (o runOp) eval(m *machine) (any, error) {
	switch {
	case o.whole:
		return map[string]any{"id": m.scope.RunID, "workflow": m.scope.Workflow}, nil
	case o.workflow:
		return m.scope.Workflow, nil
	}
	return m.scope.RunID, nil
}

func (o nodeOp) eval(m *machine) (any, error) {
	view := o.view(m.scope)
	switch o.field {
	case "error":
		return errorObject(view.Error), nil
	case "status":
		return string(view.Status), nil
	}
	return map[string]any{"output": view.Output.Any(), "error": errorObject(view.Error), "status": string(view.Status)}, nil
}

func (o *memberOp) eval(m *machine) (any, error) {
	base, err := o.base.eval(m)
	if err != nil {
		return nil, err
	}
	switch base.(type) {
	case cutOff:
		return base, nil
	case nil:
		if o.optional {
			return cutOff{}, nil
		}
		return nil, o.null(m)
	}
	key := any(o.key)
	if o.prop != nil {
		if key, err = o.prop.eval(m); err != nil {
			return nil, err
		}
	}
	tolerant := o.optional || o.soft
	switch base := base.(type) {
	case map[string]any:
		name, ok := key.(string)
		if !ok {
			return nil, faultf(o.at, "the keys of %s are strings, not %s", o.text, describe(key))
		}
		v, ok := base[name]
		if !ok && !tolerant {
			return nil, o.missing(name, base)
		}
		return v, nil
	case []any:
		n, ok := toNumber(key)
		if !ok || !n.isInt {
			return nil, faultf(o.at, "%s is a list: its items are chosen by a whole number, not by %s", o.text, describe(key))
		}
		i := n.i
		if i < 0 {
			i += int64(len(base))
		}
		if i < 0 || i >= int64(len(base)) {
			if tolerant {
				return nil, nil
			}
			return nil, faultf(o.at, "%s has %d items, there is no [%d]", o.text, len(base), n.i)
		}
		return base[i], nil
	}
	return nil, faultf(o.at, "%s is %s, which has no %s", o.text, describe(base), keyText(key))
}

// null is the error of a member of null; only ?. tolerates that.
func (o *memberOp) null(m *machine) error {
	why := ""
	if n, ok := o.base.(*nodeOutputOp); ok {
		view := m.scope.Node(n.index)
		if why = fmt.Sprintf(" (%s %s", n.id, view.Status); view.Error != nil {
			why += ": " + view.Error.Error()
		}
		why += ")"
	}
	access := "?." + o.key
	if o.prop != nil {
		access = "?.[…]"
	}
	return faultf(o.at, "%s is null%s; %s%s would tolerate that", o.text, why, o.text, access)
}

func (o *memberOp) missing(name string, base map[string]any) error {
	hint := ""
	if near := near(name, maps.Keys(base)); near != "" {
		hint = fmt.Sprintf(", did you mean %q?", near)
	} else if len(base) > 0 {
		hint = ": it has " + someOf(slices.Values(sortedKeys(base)))
	}
	return faultf(o.at, "%s has no %q%s", o.text, name, hint)
}

func keyText(key any) string {
	if s, ok := key.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return "[" + strings.TrimPrefix(describe(key), "the number ") + "]"
}

func (o chainOp) eval(m *machine) (any, error) {
	v, err := o.of.eval(m)
	if _, ok := v.(cutOff); ok {
		return nil, err
	}
	return v, err
}

func (o *sliceOp) eval(m *machine) (any, error) {
	v, err := o.of.eval(m)
	if err != nil {
		return nil, err
	}
	var size int
	list, isList := v.([]any)
	text, isText := v.(string)
	var runes []rune
	switch {
	case isList:
		size = len(list)
	case isText:
		if err := m.spend(o.at, 4*len(text)); err != nil {
			return nil, err
		}
		runes = []rune(text)
		size = len(runes)
	default:
		return nil, faultf(o.at, "only a list or a string can be sliced, this is %s", describe(v))
	}
	bound := func(o2 op, otherwise int) (int, error) {
		if o2 == nil {
			return otherwise, nil
		}
		v, err := o2.eval(m)
		if err != nil {
			return 0, err
		}
		n, ok := toNumber(v)
		if !ok || !n.isInt {
			return 0, faultf(o.at, "a slice begins and ends at whole numbers, not at %s", describe(v))
		}
		if n.i < 0 {
			n.i += int64(size)
		}
		return int(min(max(n.i, 0), int64(size))), nil
	}
	from, err := bound(o.from, 0)
	if err != nil {
		return nil, err
	}
	to, err := bound(o.to, size)
	if err != nil {
		return nil, err
	}
	to = max(from, to)
	if isList {
		return list[from:to:to], nil
	}
	return string(runes[from:to]), nil
}

func (o letOp) eval(m *machine) (any, error) {
	v, err := o.value.eval(m)
	if err != nil {
		return nil, err
	}
	m.vars = append(m.vars, v)
	v, err = o.body.eval(m)
	m.vars = m.vars[:len(m.vars)-1]
	return v, err
}

func (o seqOp) eval(m *machine) (v any, err error) {
	for _, part := range o.ops {
		if v, err = part.eval(m); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (o *condOp) eval(m *machine) (any, error) {
	yes, err := m.truth(o.cond, o.at)
	if err != nil {
		return nil, err
	}
	if yes {
		return o.yes.eval(m)
	}
	return o.no.eval(m)
}

// truth evaluates what must be true or false.
func (m *machine) truth(o op, at int) (bool, error) {
	v, err := o.eval(m)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, faultf(at, "this must be true or false, it is %s", describe(v))
	}
	return b, nil
}

func (o *listOp) eval(m *machine) (any, error) {
	if err := m.spend(o.at, 16*len(o.items)); err != nil {
		return nil, err
	}
	list := make([]any, len(o.items))
	for i, item := range o.items {
		v, err := item.eval(m)
		if err != nil {
			return nil, err
		}
		list[i] = v
	}
	return list, nil
}

func (o *objectOp) eval(m *machine) (any, error) {
	if err := m.spend(o.at, 48*len(o.keys)); err != nil {
		return nil, err
	}
	object := make(map[string]any, len(o.keys))
	for i := range o.keys {
		k, err := o.keys[i].eval(m)
		if err != nil {
			return nil, err
		}
		name, ok := k.(string)
		if !ok {
			if n, isNumber := k.(json.Number); isNumber {
				name = n.String()
			} else {
				return nil, faultf(o.at, "the key of an object must be a string, this is %s", describe(k))
			}
		}
		if object[name], err = o.values[i].eval(m); err != nil {
			return nil, err
		}
	}
	return object, nil
}
