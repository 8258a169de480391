package workflow

import (
	"math"
	"strings"
)

// onList makes a function of one on a list.
func onList(f func(m *machine, at int, list []any) (any, error)) func(*machine, int, []any) (any, error) {
	return func(m *machine, at int, a []any) (any, error) {
		list, ok := a[0].([]any)
		if !ok {
			return nil, want(at, "a list", a[0])
		}
		if err := m.spend(at, 16*len(list)); err != nil {
			return nil, err
		}
		return f(m, at, list)
	}
}

// end is the item at one end of a list; of an empty one it is null.
func end(which func(n int) int) func(*machine, int, []any) (any, error) {
	return func(_ *machine, at int, a []any) (any, error) {
		list, ok := a[0].([]any)
		if !ok {
			return nil, want(at, "a list", a[0])
		}
		if len(list) == 0 {
			return nil, nil
		}
		return list[which(len(list))], nil
	}
}

func take(_ *machine, at int, a []any) (any, error) {
	list, ok := a[0].([]any)
	if !ok {
		return nil, want(at, "a list", a[0])
	}
	n, ok := toNumber(a[1])
	if !ok || !n.isInt || n.i < 0 {
		return nil, want(at, "a count", a[1])
	}
	k := int(min(n.i, int64(len(list))))
	return list[:k:k], nil
}

func sorting(m *machine, at int, a []any) (any, error) {
	list, ok := a[0].([]any)
	if !ok {
		return nil, want(at, "a list", a[0])
	}
	descending := false
	if len(a) == 2 {
		switch s, _ := a[1].(string); strings.ToLower(s) {
		case "asc":
		case "desc":
			descending = true
		default:
			return nil, faultf(at, `sort goes "asc" or "desc", not %s`, describe(a[1]))
		}
	}
	return m.sorted(at, list, list, descending)
}

// uniq keeps the first of equal items. Strings and whole numbers are looked up;
// other values are compared with each other, which the budget bounds.
func uniq(m *machine, at int, list []any) (any, error) {
	seen := map[any]bool{}
	out := []any{}
	var others []any
next:
	for _, item := range list {
		key := item
		if n, ok := toNumber(item); ok && n.isInt {
			key = n.i
		} else if ok && n.f == math.Trunc(n.f) && math.Abs(n.f) < 1<<53 {
			key = int64(n.f)
		}
		switch key.(type) {
		case nil, bool, string, int64:
			if seen[key] {
				continue
			}
			seen[key] = true
		default:
			for _, other := range others {
				same, err := m.equal(at, item, other, 0)
				if err != nil {
					return nil, err
				}
				if same {
					continue next
				}
			}
			others = append(others, item)
		}
		out = append(out, item)
	}
	return out, nil
}

func concat(m *machine, at int, a []any) (any, error) {
	out := []any{}
	for _, v := range a {
		list, ok := v.([]any)
		if !ok {
			return nil, want(at, "a list", v)
		}
		if err := m.spend(at, 16*len(list)); err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

func (m *machine) flatten(at int, list, out []any, depth int) ([]any, error) {
	if depth > maxDepth {
		return nil, faultf(at, "the list nests deeper than %d levels", maxDepth)
	}
	if err := m.spend(at, 16*len(list)+1); err != nil {
		return nil, err
	}
	for _, item := range list {
		if inner, ok := item.([]any); ok {
			var err error
			if out, err = m.flatten(at, inner, out, depth+1); err != nil {
				return nil, err
			}
			continue
		}
		out = append(out, item)
	}
	return out, nil
}

// keys are in alphabetical order, as are values: an object of JSON has none.
func keys(m *machine, at int, a []any) (any, error) {
	object, ok := a[0].(map[string]any)
	if !ok {
		return nil, want(at, "an object", a[0])
	}
	out := make([]any, 0, len(object))
	for _, k := range sortedKeys(object) {
		out = append(out, k)
	}
	return out, m.spend(at, 32*len(object))
}

func values(m *machine, at int, a []any) (any, error) {
	object, ok := a[0].(map[string]any)
	if !ok {
		return nil, want(at, "an object", a[0])
	}
	out := make([]any, 0, len(object))
	for _, k := range sortedKeys(object) {
		out = append(out, object[k])
	}
	return out, m.spend(at, 32*len(object))
}

func toPairs(m *machine, at int, a []any) (any, error) {
	object, ok := a[0].(map[string]any)
	if !ok {
		return nil, want(at, "an object", a[0])
	}
	out := make([]any, 0, len(object))
	for _, k := range sortedKeys(object) {
		out = append(out, []any{k, object[k]})
	}
	return out, m.spend(at, 64*len(object))
}

func fromPairs(m *machine, at int, list []any) (any, error) {
	object := make(map[string]any, len(list))
	for i, item := range list {
		pair, ok := item.([]any)
		if !ok || len(pair) != 2 {
			return nil, faultf(at, "fromPairs takes pairs, item %d is %s", i, describe(item))
		}
		name, err := m.toText(at, pair[0])
		if err != nil {
			return nil, err
		}
		object[name] = pair[1]
	}
	return object, nil
}
