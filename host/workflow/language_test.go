package workflow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/expr-lang/expr"
	"pgregory.net/rapid"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// The language is that of expr-lang: what its own machine computes over plain
// Go values, our evaluation computes over JSON. Where we differ on purpose
// (null, missing keys, division by zero, overflow) one of the two has an error,
// and such expressions are left out.
func TestSameLanguageAsExpr(t *testing.T) {
	data := map[string]any{"input": map[string]any{
		"i": 7, "f": 2.5, "s": "héllo", "b": true, "l": []any{3, 1, 2}, "o": map[string]any{"k": 4},
		"rows": []any{map[string]any{"n": 1, "k": "x"}, map[string]any{"n": 2, "k": "y"}, map[string]any{"n": 3, "k": "x"}},
	}}
	raw, err := json.Marshal(data["input"])
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		source := anyExpr(t, 3)
		theirs, err := expr.Eval(source, data)
		if err != nil {
			return
		}
		tmpl, err := workflow.NewTemplate("{{ "+source+" }}", nil)
		if err != nil {
			t.Fatalf("%s: expr gives %v, we do not compile it: %v", source, theirs, err)
		}
		s := scope()
		s.Input = event.Raw(raw)
		v, err := tmpl.Render(context.Background(), s)
		if err != nil {
			if strings.Contains(err.Error(), "has no result") || strings.Contains(err.Error(), "is null") || strings.Contains(err.Error(), "is too large") {
				return
			}
			t.Fatalf("%s: expr gives %v, we fail: %v", source, theirs, err)
		}
		if want := canonicalJSON(theirs); want != "" && noSign.ReplaceAllString(string(v.JSON()), "0$1") != noSign.ReplaceAllString(want, "0$1") {
			t.Fatalf("%s: expr gives %s, we give %s", source, want, v.JSON())
		}
		compared++
	})
	if compared < 50 {
		t.Errorf("only %d expressions could be compared", compared)
	}
}

// noSign finds the float -0: our floor of a whole number stays a whole number,
// which has none.
var noSign = regexp.MustCompile(`-0([,\]]|$)`)

// Paths are compiled without the parser; parentheses make it take part. Both
// ways give the same value, or an error of the same kind.
func TestPathsAreCompiledAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		path := rapid.SampledFrom([]string{"input", "nodes", "run", "item", "index", "x"}).Draw(t, "root")
		for _, key := range rapid.SliceOfN(rapid.SampledFrom([]string{
			"a", "b", "failed", "nobody", "output", "error", "status", "id", "workflow", "text", "code", "if", "in", "_", "K9"}), 0, 4).Draw(t, "keys") {
			path += "." + key
		}
		result := func(source string) (value string, fails bool) {
			tmpl, err := workflow.NewTemplate("{{ "+source+" }}", place)
			if err != nil {
				return "", true
			}
			v, err := tmpl.Render(context.Background(), scope())
			if err != nil {
				return "", true
			}
			return string(v.JSON()), false
		}
		short, shortFails := result(path)
		long, longFails := result("(" + path + ")")
		if short != long || shortFails != longFails {
			t.Fatalf("%s is %s (fails: %v), by the parser %s (fails: %v)", path, short, shortFails, long, longFails)
		}
	})
}

// canonicalJSON is "" for what JSON cannot say.
func canonicalJSON(v any) string {
	if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

func anyExpr(t *rapid.T, depth int) string {
	return rapid.SampledFrom([]func(*rapid.T, int) string{numberExpr, boolExpr, textExpr, listExpr}).Draw(t, "type")(t, depth)
}

func pick(t *rapid.T, leaves []string, depth int, inner ...func() string) string {
	if depth <= 0 {
		return rapid.SampledFrom(leaves).Draw(t, "leaf")
	}
	i := rapid.IntRange(-1, len(inner)-1).Draw(t, "form")
	if i < 0 {
		return rapid.SampledFrom(leaves).Draw(t, "leaf")
	}
	return inner[i]()
}

func numberExpr(t *rapid.T, d int) string {
	return pick(t, []string{"1", "0", "-3", "2.5", "1e2", "0x10", "input.i", "input.f", "input.o.k", "input.l[0]", "input.l[-1]"}, d,
		func() string {
			op := rapid.SampledFrom([]string{"+", "-", "*", "/"}).Draw(t, "op")
			return fmt.Sprintf("(%s %s %s)", numberExpr(t, d-1), op, numberExpr(t, d-1))
		},
		func() string {
			return fmt.Sprintf("(%s ? %s : %s)", boolExpr(t, d-1), numberExpr(t, d-1), numberExpr(t, d-1))
		},
		func() string { return "-" + numberExpr(t, 0) },
		func() string { return "len(" + textExpr(t, d-1) + ")" },
		func() string { return "len(" + listExpr(t, d-1) + ")" },
		func() string { return "sum(" + listExpr(t, d-1) + ")" },
		func() string { return "count(" + listExpr(t, d-1) + ", # > " + numberExpr(t, 0) + ")" },
		func() string { return "reduce(" + listExpr(t, d-1) + ", #acc + #, 0)" },
		func() string { return "(let v = " + numberExpr(t, d-1) + "; v + v)" },
		func() string { return "max(" + numberExpr(t, d-1) + ", " + numberExpr(t, d-1) + ")" },
		func() string { return "floor(" + numberExpr(t, d-1) + ")" },
		func() string { return "findIndex(" + listExpr(t, d-1) + ", # == 2)" },
	)
}

func boolExpr(t *rapid.T, d int) string {
	return pick(t, []string{"true", "false", "input.b"}, d,
		func() string {
			op := rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(t, "op")
			return fmt.Sprintf("(%s %s %s)", numberExpr(t, d-1), op, numberExpr(t, d-1))
		},
		func() string {
			op := rapid.SampledFrom([]string{"contains", "startsWith", "endsWith", "==", "<", "not contains"}).Draw(t, "op")
			return fmt.Sprintf("(%s %s %s)", textExpr(t, d-1), op, textExpr(t, d-1))
		},
		func() string {
			op := rapid.SampledFrom([]string{"and", "or", "&&", "||"}).Draw(t, "op")
			return fmt.Sprintf("(%s %s %s)", boolExpr(t, d-1), op, boolExpr(t, d-1))
		},
		func() string { return "not " + boolExpr(t, d-1) },
		func() string { return fmt.Sprintf("(%s in %s)", numberExpr(t, d-1), listExpr(t, d-1)) },
		func() string {
			f := rapid.SampledFrom([]string{"all", "any", "none", "one"}).Draw(t, "loop")
			return fmt.Sprintf("%s(%s, # >= %s)", f, listExpr(t, d-1), numberExpr(t, 0))
		},
		func() string { return "(" + textExpr(t, d-1) + ` matches "^h.*o$")` },
	)
}

func textExpr(t *rapid.T, d int) string {
	return pick(t, []string{`"a"`, `"héllo"`, `""`, "input.s", "input.rows[0].k", `'b'`}, d,
		func() string { return fmt.Sprintf("(%s + %s)", textExpr(t, d-1), textExpr(t, d-1)) },
		func() string { return "upper(" + textExpr(t, d-1) + ")" },
		func() string { return "trim(" + textExpr(t, d-1) + ")" },
		func() string { return fmt.Sprintf("replace(%s, %s, %s)", textExpr(t, d-1), `"l"`, textExpr(t, d-1)) },
		func() string { return fmt.Sprintf("join(map(input.rows, .k), %s)", textExpr(t, d-1)) },
		func() string {
			return fmt.Sprintf("(%s ? %s : %s)", boolExpr(t, d-1), textExpr(t, d-1), textExpr(t, d-1))
		},
	)
}

func listExpr(t *rapid.T, d int) string {
	return pick(t, []string{"[1, 2, 3]", "[]", "input.l", "1..4", "[2.5, 1]"}, d,
		func() string { return fmt.Sprintf("filter(%s, # > %s)", listExpr(t, d-1), numberExpr(t, 0)) },
		func() string { return fmt.Sprintf("map(%s, # + %s)", listExpr(t, d-1), numberExpr(t, 0)) },
		func() string { return "sort(" + listExpr(t, d-1) + ")" },
		func() string { return "reverse(" + listExpr(t, d-1) + ")" },
		func() string { return "sortBy(" + listExpr(t, d-1) + ", -#)" },
		func() string { return fmt.Sprintf("concat([0], %s, %s)", listExpr(t, d-1), listExpr(t, d-1)) },
		func() string { return listExpr(t, 0) + "[1:]" },
		func() string { return "map(filter(input.rows, .n > 1), .n)" },
		func() string { return "take(" + listExpr(t, d-1) + ", 2)" },
		func() string { return "(" + listExpr(t, d-1) + " | filter(# < 3))" },
	)
}
