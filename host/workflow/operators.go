package workflow

import (
	"math"
	"regexp"
	"strings"
)

type (
	notOp struct {
		of op
		at int
	}
	negateOp struct {
		of   op
		plus bool
		at   int
	}
	// logicOp is && and ||: the right side is not looked at where the left
	// decides.
	logicOp struct {
		left, right op
		or          bool
		at          int
	}
	coalesceOp struct{ left, right op }
	binaryOp   struct {
		operator    string
		left, right op
		at          int
	}
	matchOp struct {
		left, right op
		pattern     *regexp.Regexp // of a constant right side
		at          int
	}
)

func (o *notOp) eval(m *machine) (any, error) {
	b, err := m.truth(o.of, o.at)
	return !b, err
}

func (o *negateOp) eval(m *machine) (any, error) {
	v, err := o.of.eval(m)
	if err != nil {
		return nil, err
	}
	n, ok := toNumber(v)
	switch {
	case !ok:
		return nil, faultf(o.at, "only a number has a sign, this is %s", describe(v))
	case o.plus:
		return v, nil
	case n.isInt && n.i != math.MinInt64:
		return -n.i, nil
	}
	return -n.float(), nil
}

func (o *logicOp) eval(m *machine) (any, error) {
	b, err := m.truth(o.left, o.at)
	if err != nil || b == o.or {
		return b, err
	}
	b, err = m.truth(o.right, o.at)
	return b, err
}

func (o coalesceOp) eval(m *machine) (any, error) {
	v, err := o.left.eval(m)
	if err != nil || v != nil {
		return v, err
	}
	return o.right.eval(m)
}

func (o *matchOp) eval(m *machine) (any, error) {
	v, err := o.left.eval(m)
	if err != nil {
		return nil, err
	}
	text, ok := v.(string)
	if !ok {
		return nil, faultf(o.at, "matches looks at a string, this is %s", describe(v))
	}
	pattern := o.pattern
	if pattern == nil {
		p, err := o.right.eval(m)
		if err != nil {
			return nil, err
		}
		source, ok := p.(string)
		if !ok {
			return nil, faultf(o.at, "a pattern is a string, this is %s", describe(p))
		}
		// Compiling costs in proportion to the pattern, and much more than that.
		if err := m.spend(o.at, 256+64*len(source)); err != nil {
			return nil, err
		}
		if pattern, err = regexp.Compile(source); err != nil {
			return nil, faultf(o.at, "%v", err)
		}
	}
	if err := m.spend(o.at, 8*len(text)); err != nil {
		return nil, err
	}
	return pattern.MatchString(text), nil
}

func (o *binaryOp) eval(m *machine) (any, error) {
	a, err := o.left.eval(m)
	if err != nil {
		return nil, err
	}
	b, err := o.right.eval(m)
	if err != nil {
		return nil, err
	}
	switch o.operator {
	case "==", "!=":
		same, err := m.equal(o.at, a, b, 0)
		return same == (o.operator == "=="), err
	case "<", "<=", ">", ">=":
		c, err := order(o.at, a, b)
		if err != nil {
			return nil, err
		}
		switch o.operator {
		case "<":
			return c < 0, nil
		case "<=":
			return c <= 0, nil
		case ">":
			return c > 0, nil
		}
		return c >= 0, nil
	case "in":
		return m.in(o.at, a, b)
	case "contains", "startsWith", "endsWith":
		return m.text(o.at, o.operator, a, b)
	case "..":
		return m.span(o.at, a, b)
	}
	if o.operator == "+" {
		if s, ok := a.(string); ok {
			if t, ok := b.(string); ok {
				return s + t, m.spend(o.at, len(s)+len(t))
			}
		}
	}
	return arithmetic(o.at, o.operator, a, b)
}

// in reports whether b holds a: an item of a list, a key of an object.
func (m *machine) in(at int, a, b any) (any, error) {
	switch b := b.(type) {
	case []any:
		for _, item := range b {
			if same, err := m.equal(at, a, item, 0); same || err != nil {
				return same, err
			}
		}
		return false, nil
	case map[string]any:
		name, ok := a.(string)
		if !ok {
			return nil, faultf(at, "the keys of an object are strings, not %s", describe(a))
		}
		_, ok = b[name]
		return ok, nil
	}
	return nil, faultf(at, "in looks into a list or an object, this is %s", describe(b))
}

func (m *machine) text(at int, operator string, a, b any) (any, error) {
	s, ok := a.(string)
	t, ok2 := b.(string)
	if !ok || !ok2 {
		return nil, faultf(at, "%s compares strings, not %s and %s", operator, describe(a), describe(b))
	}
	switch operator {
	case "startsWith":
		return strings.HasPrefix(s, t), nil
	case "endsWith":
		return strings.HasSuffix(s, t), nil
	}
	return strings.Contains(s, t), m.spend(at, len(s))
}

// span is a..b, both ends included.
func (m *machine) span(at int, a, b any) (any, error) {
	x, ok := toNumber(a)
	y, ok2 := toNumber(b)
	if !ok || !ok2 || !x.isInt || !y.isInt {
		return nil, faultf(at, "a range goes from one whole number to another, not from %s to %s", describe(a), describe(b))
	}
	if y.i < x.i {
		return []any{}, nil
	}
	size := uint64(y.i) - uint64(x.i) + 1
	if size > effortBudget || size == 0 {
		return nil, m.spend(at, -1)
	}
	if err := m.spend(at, 16*int(size)); err != nil {
		return nil, err
	}
	list := make([]any, size)
	for i := range list {
		list[i] = x.i + int64(i)
	}
	return list, nil
}

func arithmetic(at int, operator string, a, b any) (any, error) {
	x, ok := toNumber(a)
	y, ok2 := toNumber(b)
	if !ok || !ok2 {
		return nil, faultf(at, "cannot compute %s %s %s", describe(a), operator, describe(b))
	}
	if x.isInt && y.isInt {
		switch operator {
		case "+":
			if r := x.i + y.i; (r > x.i) == (y.i > 0) {
				return r, nil
			}
		case "-":
			if r := x.i - y.i; (r < x.i) == (y.i > 0) {
				return r, nil
			}
		case "*":
			if x.i == 0 || y.i == 0 {
				return int64(0), nil
			}
			if r := x.i * y.i; r/y.i == x.i && !(x.i == -1 && y.i == math.MinInt64) && !(y.i == -1 && x.i == math.MinInt64) {
				return r, nil
			}
		case "%":
			if y.i == 0 {
				return nil, faultf(at, "%d %% 0 has no result", x.i)
			}
			if y.i == -1 {
				return int64(0), nil
			}
			return x.i % y.i, nil
		}
	}
	f, g := x.float(), y.float()
	var r float64
	switch operator {
	case "+":
		r = f + g
	case "-":
		r = f - g
	case "*":
		r = f * g
	case "/":
		if g == 0 {
			return nil, faultf(at, "%v / 0 has no result", f)
		}
		r = f / g
	case "%":
		return nil, faultf(at, "%% takes whole numbers, not %s and %s", describe(a), describe(b))
	default: // ** and ^
		r = math.Pow(f, g)
	}
	if math.IsNaN(r) || math.IsInf(r, 0) {
		return nil, faultf(at, "%v %s %v is too large", f, operator, g)
	}
	return r, nil
}
