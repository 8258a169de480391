package workflow

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

const (
	// tickBudget bounds the turns of all loops of one evaluation.
	tickBudget = 1_000_000
	// effortBudget bounds bytes made and elements looked at in one evaluation.
	effortBudget = 64 << 20
	// maxDepth bounds how deep values may nest.
	maxDepth = 10_000
)

// machine is the state of one evaluation.
type machine struct {
	ctx    context.Context
	scope  *Scope
	ticks  int
	effort int
	since  int // effort since the context was looked at
	vars   []any
	frames []frame
}

// frame is one turn of a loop.
type frame struct {
	item, acc any
	index     int
}

// tick counts one turn of a loop and looks at the context now and then.
func (m *machine) tick(at int) error {
	if m.ticks--; m.ticks < 0 {
		return faultf(at, "the expression loops more than %d times", tickBudget)
	}
	if m.ticks&0xff == 0 {
		return m.look(at)
	}
	return nil
}

// spend counts work in proportion to data: bytes made, elements looked at.
func (m *machine) spend(at, n int) error {
	if n < 0 || n > m.effort {
		m.effort = 0
		return faultf(at, "the expression handles more than %d MiB of data", effortBudget>>20)
	}
	m.effort -= n
	if m.since += n; m.since > 1<<18 {
		m.since = 0
		return m.look(at)
	}
	return nil
}

func (m *machine) look(at int) error {
	if m.ctx != nil && m.ctx.Err() != nil {
		return &fault{at: at, message: "the expression was stopped: " + context.Cause(m.ctx).Error(), cause: context.Cause(m.ctx)}
	}
	return nil
}

// describe names the kind of a value, with its article, and shows short ones.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case string:
		if len(v) > 40 {
			return "a string"
		}
		return "the string " + strconv.Quote(v)
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	case json.Number:
		return "the number " + v.String()
	case int64, float64:
		return fmt.Sprint("the number ", v)
	}
	return fmt.Sprintf("a %T", v)
}

// number is a JSON number made ready for arithmetic.
type number struct {
	isInt bool
	i     int64
	f     float64
}

func (n number) float() float64 {
	if n.isInt {
		return float64(n.i)
	}
	return n.f
}

// toNumber converts any form of a number. Integers that fit 64 bits stay
// integers; everything else becomes a float.
func toNumber(v any) (number, bool) {
	switch v := v.(type) {
	case int64:
		return number{isInt: true, i: v}, true
	case float64:
		return number{f: v}, true
	case int:
		return number{isInt: true, i: int64(v)}, true
	case json.Number:
		if i, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return number{isInt: true, i: i}, true
		}
		if f, err := strconv.ParseFloat(string(v), 64); err == nil {
			return number{f: f}, true
		}
	}
	return number{}, false
}

// plain turns a computed value into JSON: Go numbers become json.Number, and
// what is no JSON is an error. made is true when v had to be copied for that;
// values that hold no Go number are not. A value may hold the same list many
// times over, so that what looks small is huge when it is written: everything
// is counted as often as it stands there.
func (m *machine) plain(at int, v any, depth int) (out any, made bool, err error) {
	if depth > maxDepth {
		return nil, false, faultf(at, "the value nests deeper than %d levels", maxDepth)
	}
	size := 8
	if s, ok := v.(string); ok {
		size += len(s)
	}
	if err := m.spend(at, size); err != nil {
		return nil, false, err
	}
	switch v := v.(type) {
	case nil, bool, string, json.Number:
		return v, false, nil
	case int64:
		return json.Number(strconv.FormatInt(v, 10)), true, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, false, faultf(at, "the result %v is no JSON number", v)
		}
		text, _ := json.Marshal(v)
		return json.Number(text), true, nil
	case []any:
		list := v
		for i, e := range v {
			p, changed, err := m.plain(at, e, depth+1)
			if err != nil {
				return nil, false, err
			}
			if changed && !made {
				list, made = slices.Clone(v), true
			}
			if changed {
				list[i] = p
			}
		}
		return list, made, nil
	case map[string]any:
		object := v
		for k, e := range v {
			p, changed, err := m.plain(at, e, depth+1)
			if err != nil {
				return nil, false, err
			}
			if changed && !made {
				object, made = maps.Clone(v), true
			}
			if changed {
				object[k] = p
			}
		}
		return object, made, nil
	}
	return nil, false, faultf(at, "the result is %s, which is no JSON value", describe(v))
}

// equal compares two values as JSON: numbers by value, whatever their form.
func (m *machine) equal(at int, a, b any, depth int) (bool, error) {
	if err := m.spend(at, 4); err != nil {
		return false, err
	}
	if depth > maxDepth {
		return false, faultf(at, "the values nest deeper than %d levels", maxDepth)
	}
	switch a := a.(type) {
	case nil:
		return b == nil, nil
	case bool:
		b, ok := b.(bool)
		return ok && a == b, nil
	case string:
		b, ok := b.(string)
		return ok && a == b, nil
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false, nil
		}
		for i := range a {
			if same, err := m.equal(at, a[i], b[i], depth+1); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false, nil
		}
		for k := range a {
			other, ok := b[k]
			if !ok {
				return false, nil
			}
			if same, err := m.equal(at, a[k], other, depth+1); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	c, ok := compareNumbers(a, b)
	return ok && c == 0, nil
}

// compareNumbers orders two numbers, exactly where both are integers.
func compareNumbers(a, b any) (int, bool) {
	x, ok := toNumber(a)
	if !ok {
		return 0, false
	}
	y, ok := toNumber(b)
	if !ok {
		return 0, false
	}
	if x.isInt && y.isInt {
		switch {
		case x.i < y.i:
			return -1, true
		case x.i > y.i:
			return 1, true
		}
		return 0, true
	}
	if i, j := bigInt(a), bigInt(b); i != nil && j != nil {
		return i.Cmp(j), true
	}
	switch f, g := x.float(), y.float(); {
	case f < g:
		return -1, true
	case f > g:
		return 1, true
	}
	return 0, true
}

// bigInt is the integer that v is written as, nil when it is none.
func bigInt(v any) *big.Int {
	var text string
	switch v := v.(type) {
	case int64:
		return big.NewInt(v)
	case json.Number:
		text = string(v)
	}
	if text == "" || len(text) > 4096 || strings.ContainsAny(text, ".eE") {
		return nil
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return nil
	}
	return n
}

// order compares two values for < and sorting: numbers with numbers, strings
// with strings.
func order(at int, a, b any) (int, error) {
	if s, ok := a.(string); ok {
		if t, ok := b.(string); ok {
			return strings.Compare(s, t), nil
		}
	} else if c, ok := compareNumbers(a, b); ok {
		return c, nil
	}
	return 0, faultf(at, "cannot compare %s with %s", describe(a), describe(b))
}

func sortedKeys(v map[string]any) []string { return slices.Sorted(maps.Keys(v)) }
