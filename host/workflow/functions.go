package workflow

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/builtin"

	"wasmhost/host/event"
)

// function is one that expressions may call. The allow-list is this table and
// loops: nothing that reads a clock, draws random numbers or reaches outside.
type function struct {
	// types are its signatures for the type checker.
	types []any
	call  func(m *machine, at int, args []any) (any, error)
}

// callOp calls a function.
type callOp struct {
	fn   *function
	args []op
	at   int
}

func (o *callOp) eval(m *machine) (any, error) {
	args := make([]any, len(o.args))
	for i, a := range o.args {
		v, err := a.eval(m)
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	return o.fn.call(m, o.at, args)
}

// functions are what expressions may call, by name.
var functions = map[string]*function{
	"len":       {[]any{new(func(any) int)}, length},
	"type":      {[]any{new(func(any) string)}, typeName},
	"int":       {[]any{new(func(any) int)}, toInt},
	"float":     {[]any{new(func(any) float64)}, toFloat},
	"string":    {[]any{new(func(any) string)}, func(m *machine, at int, a []any) (any, error) { return m.toText(at, a[0]) }},
	"abs":       {[]any{new(func(any) any)}, rounding(math.Abs, func(i int64) int64 { return max(i, -i) })},
	"ceil":      {[]any{new(func(any) float64)}, rounding(math.Ceil, nil)},
	"floor":     {[]any{new(func(any) float64)}, rounding(math.Floor, nil)},
	"round":     {[]any{new(func(any) float64)}, rounding(math.Round, nil)},
	"min":       {[]any{new(func(...any) any)}, extreme(-1)},
	"max":       {[]any{new(func(...any) any)}, extreme(1)},
	"mean":      {[]any{new(func(...any) float64)}, mean},
	"median":    {[]any{new(func(...any) any)}, median},
	"trim":      {textTypes, trimming(strings.TrimSpace, strings.Trim)},
	"trimStart": {textTypes, trimming(func(s string) string { return strings.TrimLeft(s, " \t\r\n") }, strings.TrimLeft)},
	"trimEnd":   {textTypes, trimming(func(s string) string { return strings.TrimRight(s, " \t\r\n") }, strings.TrimRight)},

	"trimPrefix": {[]any{new(func(string, string) string)}, onText2(func(s, t string) any { return strings.TrimPrefix(s, t) })},
	"trimSuffix": {[]any{new(func(string, string) string)}, onText2(func(s, t string) any { return strings.TrimSuffix(s, t) })},
	"hasPrefix":  {[]any{new(func(string, string) bool)}, onText2(func(s, t string) any { return strings.HasPrefix(s, t) })},
	"hasSuffix":  {[]any{new(func(string, string) bool)}, onText2(func(s, t string) any { return strings.HasSuffix(s, t) })},
	"upper":      {[]any{new(func(string) string)}, onText(func(s string) any { return strings.ToUpper(s) })},
	"lower":      {[]any{new(func(string) string)}, onText(func(s string) any { return strings.ToLower(s) })},
	"indexOf":    {[]any{new(func(string, string) int)}, onText2(func(s, t string) any { return runeIndex(s, strings.Index(s, t)) })},
	"lastIndexOf": {[]any{new(func(string, string) int)}, onText2(func(s, t string) any {
		return runeIndex(s, strings.LastIndex(s, t))
	})},
	"split":   {[]any{new(func(string, string) []any), new(func(string, string, int) []any)}, split},
	"replace": {[]any{new(func(string, string, string) string)}, replace},
	"repeat":  {[]any{new(func(string, int) string)}, repeat},
	"join":    {[]any{new(func([]any) string), new(func([]any, string) string)}, join},

	"first":     {[]any{new(func([]any) any)}, end(func(n int) int { return 0 })},
	"last":      {[]any{new(func([]any) any)}, end(func(n int) int { return n - 1 })},
	"take":      {[]any{new(func([]any, int) []any)}, take},
	"reverse":   {[]any{new(func([]any) []any)}, onList(func(m *machine, at int, l []any) (any, error) { l = slices.Clone(l); slices.Reverse(l); return l, nil })},
	"sort":      {[]any{new(func([]any) []any), new(func([]any, string) []any)}, sorting},
	"uniq":      {[]any{new(func([]any) []any)}, onList(uniq)},
	"concat":    {[]any{new(func(...[]any) []any)}, concat},
	"flatten":   {[]any{new(func([]any) []any)}, onList(func(m *machine, at int, l []any) (any, error) { return m.flatten(at, l, []any{}, 0) })},
	"keys":      {[]any{new(func(any) []any)}, keys},
	"values":    {[]any{new(func(any) []any)}, values},
	"toPairs":   {[]any{new(func(any) []any)}, toPairs},
	"fromPairs": {[]any{new(func([]any) map[string]any)}, onList(fromPairs)},
	"get":       {[]any{new(func(any, any) any)}, get},

	"toJSON":     {[]any{new(func(any) string)}, toJSON},
	"fromJSON":   {[]any{new(func(string) any)}, fromJSON},
	"toBase64":   {[]any{new(func(string) string)}, onText(func(s string) any { return base64.StdEncoding.EncodeToString([]byte(s)) })},
	"fromBase64": {[]any{new(func(string) string)}, fromBase64},
}

var textTypes = []any{new(func(string) string), new(func(string, string) string)}

// checked are the functions as the type checker knows them.
var checked = func() map[string]*builtin.Function {
	table := make(map[string]*builtin.Function, len(functions))
	for name, f := range functions {
		b := &builtin.Function{Name: name}
		for _, t := range f.types {
			b.Types = append(b.Types, reflect.TypeOf(t).Elem())
		}
		table[name] = b
	}
	return table
}()

func want(at int, what string, v any) error {
	return faultf(at, "this must be %s, it is %s", what, describe(v))
}

func length(m *machine, at int, a []any) (any, error) {
	switch v := a[0].(type) {
	case string:
		return int64(utf8.RuneCountInString(v)), m.spend(at, len(v)/8)
	case []any:
		return int64(len(v)), nil
	case map[string]any:
		return int64(len(v)), nil
	}
	return nil, want(at, "a string, a list or an object", a[0])
}

func typeName(_ *machine, _ int, a []any) (any, error) {
	switch a[0].(type) {
	case nil:
		return "null", nil
	case bool:
		return "boolean", nil
	case string:
		return "string", nil
	case []any:
		return "array", nil
	case map[string]any:
		return "object", nil
	}
	return "number", nil
}

func toInt(_ *machine, at int, a []any) (any, error) {
	v := a[0]
	if s, ok := v.(string); ok {
		v = json.Number(strings.TrimSpace(s))
	}
	n, ok := toNumber(v)
	switch {
	case !ok:
		return nil, want(at, "a number", a[0])
	case n.isInt:
		return n.i, nil
	case n.f >= -(1<<63) && n.f < 1<<63:
		return int64(n.f), nil
	}
	return nil, faultf(at, "%s does not fit a whole number of 64 bits", describe(a[0]))
}

func toFloat(_ *machine, at int, a []any) (any, error) {
	v := a[0]
	if s, ok := v.(string); ok {
		v = json.Number(strings.TrimSpace(s))
	}
	n, ok := toNumber(v)
	if !ok {
		return nil, want(at, "a number", a[0])
	}
	return n.float(), nil
}

// toText is a value as text: a string as it is, anything else as JSON.
func (m *machine) toText(at int, v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	v, _, err := m.plain(at, v, 0)
	if err != nil {
		return "", err
	}
	text := string(event.Of(v).JSON())
	return text, m.spend(at, len(text))
}

func toJSON(m *machine, at int, a []any) (any, error) {
	v, _, err := m.plain(at, a[0], 0)
	if err != nil {
		return nil, err
	}
	text := string(event.Of(v).JSON())
	return text, m.spend(at, len(text))
}

func fromJSON(m *machine, at int, a []any) (any, error) {
	s, ok := a[0].(string)
	if !ok {
		return nil, want(at, "a string", a[0])
	}
	if err := m.spend(at, 8*len(s)); err != nil {
		return nil, err
	}
	v, err := event.Parse([]byte(s))
	if err != nil {
		return nil, faultf(at, "the text is no JSON: %v", err)
	}
	return v.Any(), nil
}

func fromBase64(m *machine, at int, a []any) (any, error) {
	s, ok := a[0].(string)
	if !ok {
		return nil, want(at, "a string", a[0])
	}
	data, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, faultf(at, "the text is no base64: %v", err)
	}
	if !utf8.Valid(data) {
		return nil, faultf(at, "the base64 holds bytes that are no text (not valid UTF-8)")
	}
	return string(data), m.spend(at, len(s))
}

func rounding(f func(float64) float64, ints func(int64) int64) func(*machine, int, []any) (any, error) {
	return func(_ *machine, at int, a []any) (any, error) {
		n, ok := toNumber(a[0])
		switch {
		case !ok:
			return nil, want(at, "a number", a[0])
		case n.isInt && ints != nil && n.i != math.MinInt64:
			return ints(n.i), nil
		case n.isInt && ints == nil:
			return n.i, nil
		}
		return f(n.float()), nil
	}
}

// numbers are the arguments, where an argument may be a list of them.
func (m *machine) numbers(at int, a []any) ([]any, error) {
	var out []any
	for _, v := range a {
		if list, ok := v.([]any); ok {
			out = append(out, list...)
		} else {
			out = append(out, v)
		}
	}
	for _, v := range out {
		if _, ok := toNumber(v); !ok {
			return nil, want(at, "a number", v)
		}
	}
	return out, m.spend(at, 16*len(out))
}

func extreme(sign int) func(*machine, int, []any) (any, error) {
	return func(m *machine, at int, a []any) (any, error) {
		list, err := m.numbers(at, a)
		if err != nil || len(list) == 0 {
			return nil, err
		}
		best := list[0]
		for _, v := range list[1:] {
			if c, _ := compareNumbers(v, best); c*sign > 0 {
				best = v
			}
		}
		return best, nil
	}
}

func mean(m *machine, at int, a []any) (any, error) {
	list, err := m.numbers(at, a)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, faultf(at, "nothing has no mean")
	}
	total := 0.0
	for _, v := range list {
		n, _ := toNumber(v)
		total += n.float()
	}
	return total / float64(len(list)), nil
}

func median(m *machine, at int, a []any) (any, error) {
	list, err := m.numbers(at, a)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, faultf(at, "nothing has no median")
	}
	v, err := m.sorted(at, list, list, false)
	if err != nil {
		return nil, err
	}
	list = v.([]any)
	middle := len(list) / 2
	if len(list)%2 == 1 {
		return list[middle], nil
	}
	x, _ := toNumber(list[middle-1])
	y, _ := toNumber(list[middle])
	return (x.float() + y.float()) / 2, nil
}

func get(_ *machine, at int, a []any) (any, error) {
	switch v := a[0].(type) {
	case nil:
		return nil, nil
	case map[string]any:
		if k, ok := a[1].(string); ok {
			return v[k], nil
		}
	case []any:
		if n, ok := toNumber(a[1]); ok && n.isInt {
			i := n.i
			if i < 0 {
				i += int64(len(v))
			}
			if i >= 0 && i < int64(len(v)) {
				return v[i], nil
			}
			return nil, nil
		}
	}
	return nil, faultf(at, "get takes an object and a string or a list and a whole number, not %s and %s", describe(a[0]), describe(a[1]))
}
