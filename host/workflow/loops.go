package workflow

import (
	"slices"
	"strings"
)

// loops are the functions that run an expression for every item of a list. The
// parser knows them by name; each turn is a tick of the budget.
var loops = map[string]func(o *loopOp, m *machine, list []any) (any, error){
	"all":           func(o *loopOp, m *machine, list []any) (any, error) { return o.quantify(m, list, false, true) },
	"any":           func(o *loopOp, m *machine, list []any) (any, error) { return o.quantify(m, list, true, false) },
	"none":          (*loopOp).none,
	"one":           (*loopOp).one,
	"filter":        (*loopOp).filter,
	"map":           (*loopOp).mapped,
	"count":         (*loopOp).count,
	"sum":           (*loopOp).sum,
	"find":          func(o *loopOp, m *machine, list []any) (any, error) { return o.find(m, list, false, false) },
	"findIndex":     func(o *loopOp, m *machine, list []any) (any, error) { return o.find(m, list, false, true) },
	"findLast":      func(o *loopOp, m *machine, list []any) (any, error) { return o.find(m, list, true, false) },
	"findLastIndex": func(o *loopOp, m *machine, list []any) (any, error) { return o.find(m, list, true, true) },
	"groupBy":       (*loopOp).groupBy,
	"sortBy":        (*loopOp).sortBy,
	"reduce":        (*loopOp).reduce,
}

// loopOp is a loop over a list. body is nil where the loop may do without
// (count, sum).
type loopOp struct {
	name  string
	run   func(o *loopOp, m *machine, list []any) (any, error)
	list  op
	body  op
	extra op // sortBy's order, reduce's start
	at    int
}

// pointerOp is # in a loop, #acc or #index.
type pointerOp struct{ name string }

func (o pointerOp) eval(m *machine) (any, error) {
	f := &m.frames[len(m.frames)-1]
	switch o.name {
	case "acc":
		return f.acc, nil
	case "index":
		return int64(f.index), nil
	}
	return f.item, nil
}

func (o *loopOp) eval(m *machine) (any, error) {
	v, err := o.list.eval(m)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, faultf(o.at, "%s goes over a list, this is %s", o.name, describe(v))
	}
	return o.run(o, m, list)
}

// turn evaluates the body for one item.
func (o *loopOp) turn(m *machine, index int, item, acc any) (any, error) {
	if err := m.tick(o.at); err != nil {
		return nil, err
	}
	m.frames = append(m.frames, frame{item: item, index: index, acc: acc})
	v, err := o.body.eval(m)
	m.frames = m.frames[:len(m.frames)-1]
	return v, err
}

// test is turn for a body that must be true or false.
func (o *loopOp) test(m *machine, index int, item any) (bool, error) {
	v, err := o.turn(m, index, item, nil)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, faultf(o.at, "the condition of %s must be true or false, for item %d it is %s", o.name, index, describe(v))
	}
	return b, nil
}

// quantify stops at the first item whose test is stop.
func (o *loopOp) quantify(m *machine, list []any, stop, otherwise bool) (any, error) {
	for i, item := range list {
		yes, err := o.test(m, i, item)
		if err != nil {
			return nil, err
		}
		if yes == stop {
			return stop, nil
		}
	}
	return otherwise, nil
}

func (o *loopOp) none(m *machine, list []any) (any, error) {
	found, err := o.quantify(m, list, true, false)
	return found == false, err
}

func (o *loopOp) one(m *machine, list []any) (any, error) {
	n := 0
	for i, item := range list {
		yes, err := o.test(m, i, item)
		if err != nil {
			return nil, err
		}
		if yes {
			n++
		}
	}
	return n == 1, nil
}

func (o *loopOp) filter(m *machine, list []any) (any, error) {
	kept := []any{}
	for i, item := range list {
		yes, err := o.test(m, i, item)
		if err != nil {
			return nil, err
		}
		if yes {
			kept = append(kept, item)
		}
	}
	return kept, m.spend(o.at, 16*len(kept))
}

func (o *loopOp) mapped(m *machine, list []any) (any, error) {
	if err := m.spend(o.at, 16*len(list)); err != nil {
		return nil, err
	}
	out := make([]any, len(list))
	for i, item := range list {
		v, err := o.turn(m, i, item, nil)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (o *loopOp) count(m *machine, list []any) (any, error) {
	n := int64(0)
	for i, item := range list {
		yes, ok := item.(bool)
		if o.body != nil {
			var err error
			if yes, err = o.test(m, i, item); err != nil {
				return nil, err
			}
		} else if !ok {
			return nil, faultf(o.at, "count without a condition counts true, item %d is %s", i, describe(item))
		}
		if yes {
			n++
		}
	}
	return n, nil
}

func (o *loopOp) sum(m *machine, list []any) (any, error) {
	var total any = int64(0)
	for i, item := range list {
		var err error
		if o.body != nil {
			if item, err = o.turn(m, i, item, nil); err != nil {
				return nil, err
			}
		}
		if total, err = arithmetic(o.at, "+", total, item); err != nil {
			return nil, err
		}
	}
	return total, m.spend(o.at, len(list))
}

// find returns the item or its place; null when there is none.
func (o *loopOp) find(m *machine, list []any, last, index bool) (any, error) {
	for n := range list {
		i := n
		if last {
			i = len(list) - 1 - n
		}
		yes, err := o.test(m, i, list[i])
		if err != nil {
			return nil, err
		}
		if yes {
			if index {
				return int64(i), nil
			}
			return list[i], nil
		}
	}
	return nil, nil
}

// groupBy makes an object of lists; a key that is no string is its JSON.
func (o *loopOp) groupBy(m *machine, list []any) (any, error) {
	groups := map[string]any{}
	for i, item := range list {
		k, err := o.turn(m, i, item, nil)
		if err != nil {
			return nil, err
		}
		name, err := m.toText(o.at, k)
		if err != nil {
			return nil, err
		}
		group, _ := groups[name].([]any)
		groups[name] = append(group, item)
	}
	return groups, m.spend(o.at, 64*len(list))
}

func (o *loopOp) sortBy(m *machine, list []any) (any, error) {
	descending := false
	if o.extra != nil {
		v, err := o.extra.eval(m)
		if err != nil {
			return nil, err
		}
		switch s, _ := v.(string); strings.ToLower(s) {
		case "asc":
		case "desc":
			descending = true
		default:
			return nil, faultf(o.at, `sortBy goes "asc" or "desc", not %s`, describe(v))
		}
	}
	keys := make([]any, len(list))
	for i, item := range list {
		k, err := o.turn(m, i, item, nil)
		if err != nil {
			return nil, err
		}
		keys[i] = k
	}
	return m.sorted(o.at, list, keys, descending)
}

// sorted returns list in the order of keys, equal ones in their old order.
func (m *machine) sorted(at int, list, keys []any, descending bool) (any, error) {
	if err := m.spend(at, 32*len(list)); err != nil {
		return nil, err
	}
	places := make([]int, len(list))
	for i := range places {
		places[i] = i
	}
	var failed error
	slices.SortStableFunc(places, func(i, j int) int {
		if failed != nil {
			return 0
		}
		c, err := order(at, keys[i], keys[j])
		if err == nil {
			err = m.spend(at, 1)
		}
		if failed = err; descending {
			c = -c
		}
		return c
	})
	if failed != nil {
		return nil, failed
	}
	out := make([]any, len(list))
	for i, p := range places {
		out[i] = list[p]
	}
	return out, nil
}

func (o *loopOp) reduce(m *machine, list []any) (any, error) {
	var acc any
	if o.extra != nil {
		var err error
		if acc, err = o.extra.eval(m); err != nil {
			return nil, err
		}
	}
	for i, item := range list {
		if i == 0 && o.extra == nil {
			acc = item
			continue
		}
		var err error
		if acc, err = o.turn(m, i, item, acc); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 && o.extra == nil {
		return nil, faultf(o.at, "reduce of an empty list needs a start: reduce(list, …, start)")
	}
	return acc, nil
}
