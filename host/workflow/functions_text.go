package workflow

import (
	"strings"
	"unicode/utf8"
)

// onText makes a function of one on a string.
func onText(f func(string) any) func(*machine, int, []any) (any, error) {
	return func(m *machine, at int, a []any) (any, error) {
		s, ok := a[0].(string)
		if !ok {
			return nil, want(at, "a string", a[0])
		}
		return f(s), m.spend(at, 2*len(s))
	}
}

// onText2 makes a function of one on two strings.
func onText2(f func(s, t string) any) func(*machine, int, []any) (any, error) {
	return func(m *machine, at int, a []any) (any, error) {
		s, ok := a[0].(string)
		if !ok {
			return nil, want(at, "a string", a[0])
		}
		t, ok := a[1].(string)
		if !ok {
			return nil, want(at, "a string", a[1])
		}
		return f(s, t), m.spend(at, len(s))
	}
}

// runeIndex turns a byte index into one that counts characters; -1 stays.
func runeIndex(s string, i int) any {
	if i < 0 {
		return int64(-1)
	}
	return int64(utf8.RuneCountInString(s[:i]))
}

func trimming(space func(string) string, set func(s, cutset string) string) func(*machine, int, []any) (any, error) {
	one, two := onText(func(s string) any { return space(s) }), onText2(func(s, t string) any { return set(s, t) })
	return func(m *machine, at int, a []any) (any, error) {
		if len(a) == 1 {
			return one(m, at, a)
		}
		return two(m, at, a)
	}
}

func split(m *machine, at int, a []any) (any, error) {
	s, ok := a[0].(string)
	if !ok {
		return nil, want(at, "a string", a[0])
	}
	separator, ok := a[1].(string)
	if !ok {
		return nil, want(at, "a string", a[1])
	}
	limit := -1
	if len(a) == 3 {
		n, ok := toNumber(a[2])
		if !ok || !n.isInt || n.i < 0 || n.i > effortBudget {
			return nil, want(at, "a count", a[2])
		}
		limit = int(n.i)
	}
	pieces := strings.Count(s, separator) + 1
	if err := m.spend(at, len(s)+32*pieces); err != nil {
		return nil, err
	}
	parts := strings.SplitN(s, separator, limit)
	out := make([]any, len(parts))
	for i, p := range parts {
		out[i] = p
	}
	return out, nil
}

func replace(m *machine, at int, a []any) (any, error) {
	var s [3]string
	for i := range s {
		text, ok := a[i].(string)
		if !ok {
			return nil, want(at, "a string", a[i])
		}
		s[i] = text
	}
	grow := max(len(s[2])-len(s[1]), 0)
	n := strings.Count(s[0], s[1])
	if grow > 0 && n > effortBudget/grow {
		return nil, m.spend(at, -1)
	}
	if err := m.spend(at, len(s[0])+n*grow); err != nil {
		return nil, err
	}
	return strings.ReplaceAll(s[0], s[1], s[2]), nil
}

func repeat(m *machine, at int, a []any) (any, error) {
	s, ok := a[0].(string)
	if !ok {
		return nil, want(at, "a string", a[0])
	}
	n, ok := toNumber(a[1])
	if !ok || !n.isInt || n.i < 0 {
		return nil, want(at, "a count", a[1])
	}
	if len(s) > 0 && n.i > int64(effortBudget/len(s)) {
		return nil, m.spend(at, -1)
	}
	if len(s) == 0 {
		return "", nil
	}
	if err := m.spend(at, len(s)*int(n.i)); err != nil {
		return nil, err
	}
	return strings.Repeat(s, int(n.i)), nil
}

func join(m *machine, at int, a []any) (any, error) {
	list, ok := a[0].([]any)
	if !ok {
		return nil, want(at, "a list", a[0])
	}
	glue := ""
	if len(a) == 2 {
		if glue, ok = a[1].(string); !ok {
			return nil, want(at, "a string", a[1])
		}
	}
	var b strings.Builder
	for i, item := range list {
		s, ok := item.(string)
		if !ok {
			return nil, faultf(at, "join takes strings, item %d is %s", i, describe(item))
		}
		if err := m.spend(at, len(s)+len(glue)+1); err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteString(glue)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}
