package workflow_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// places are the nodes that the tests' expressions may name.
var places = map[string]int{"a": 0, "list": 1, "failed": 2, "skipped": 3, "my-node": 4}

func place(id string) (int, bool) {
	i, ok := places[id]
	return i, ok
}

// scope is a run in which every kind of node has ended.
func scope() *workflow.Scope {
	views := []workflow.NodeView{
		{Status: event.Succeeded, Output: event.Raw([]byte(`{"x":1.10,"big":12345678901234567890,"n":7,"s":"text","t":true,"nil":null,"o":{"k":"v","deep":{"z":0}},"l":[3,1,2]}`))},
		{Status: event.Succeeded, Output: event.Raw([]byte(`[{"n":1,"k":"b"},{"n":2,"k":"a"},{"n":3,"k":"b"}]`))},
		{Status: event.Failed, Error: &event.Error{Node: "failed", Class: "transient", Code: "timeout", Message: "too slow"}},
		{Status: event.Skipped},
		{Status: event.Succeeded, Output: event.Text("dashed")},
	}
	return &workflow.Scope{
		Input: event.Raw([]byte(`{"text":"hello","count":3}`)), RunID: "run-1", Workflow: "wf",
		Node:   func(i int) workflow.NodeView { return views[i] },
		InItem: true, Item: event.Text("item text"), Index: 4,
	}
}

func render(t *testing.T, source any) (string, error) {
	t.Helper()
	tmpl, err := workflow.NewTemplate(source, place)
	if err != nil {
		return "", err
	}
	v, err := tmpl.Render(context.Background(), scope())
	return string(v.JSON()), err
}

func TestExpressions(t *testing.T) {
	for source, want := range map[string]string{
		// A path keeps the value as it came, digits included.
		`input`:                       `{"text":"hello","count":3}`,
		`nodes.a.output.x`:            `1.10`,
		`nodes.a.output.big`:          `12345678901234567890`,
		`nodes.a.output["x"]`:         `1.10`,
		`nodes["my-node"].output`:     `"dashed"`,
		`nodes.a.output.l[-1]`:        `2`,
		`nodes.a.output.o.deep.z`:     `0`,
		`nodes.failed.error.code`:     `"timeout"`,
		`nodes.failed.error.node`:     `"failed"`,
		`nodes.a.error`:               `null`,
		`nodes.skipped.output`:        `null`,
		`nodes.skipped.status`:        `"skipped"`,
		`run.id + "/" + run.workflow`: `"run-1/wf"`,
		`item`:                        `"item text"`,
		`index`:                       `4`,
		`[nodes.a.output.x]`:          `[1.10]`,
		`{"k": nodes.a.output.big}`:   `{"k":12345678901234567890}`,
		`nodes.a.output.l | sort()`:   `[1,2,3]`,

		// Arithmetic is on whole numbers or floats.
		`1 + 2 * 3`:               `7`,
		`7 / 2`:                   `3.5`,
		`4 / 2`:                   `2`,
		`7 % 3`:                   `1`,
		`2 ** 10`:                 `1024`,
		`nodes.a.output.n + 1`:    `8`,
		`nodes.a.output.x * 2`:    `2.2`,
		`-nodes.a.output.n`:       `-7`,
		`9223372036854775807 + 1`: `9223372036854776000`,
		`nodes.a.output.big == 12345678901234567890.0`: `true`,
		`nodes.a.output.n == 7.0`:                      `true`,
		`nodes.a.output.big > 1`:                       `true`,
		`1 < nodes.a.output.n`:                         `true`,
		`"a" < "b"`:                                    `true`,

		// Null and missing keys: ?. and ?? tolerate them.
		`nodes.skipped.output?.foo`:         `null`,
		`nodes.skipped.output?.foo.bar.baz`: `null`,
		`nodes.a.output?.missing`:           `null`,
		`nodes.a.output.missing ?? "d"`:     `"d"`,
		`nodes.a.output.nil ?? "d"`:         `"d"`,
		`nodes.skipped.output?.foo ?? 5`:    `5`,
		`nodes.a.output.l?.[10]`:            `null`,
		`nodes.a.output.l[10] ?? "none"`:    `"none"`,
		`nodes.a.error == nil`:              `true`,
		`nodes.a.error == null`:             `true`,
		`get(nodes.a.output, "missing")`:    `null`,

		// Logic looks at the right side only where it must.
		`false && nodes.skipped.output.x`:         `false`,
		`true or nodes.skipped.output.x`:          `true`,
		`nodes.a.output.t ? "yes" : "no"`:         `"yes"`,
		`not nodes.a.output.t`:                    `false`,
		`let x = 5; x * x`:                        `25`,
		`let x = 5; let y = x + 1; [x, y]`:        `[5,6]`,
		`if index > 3 { "big" } else { "small" }`: `"big"`,

		`"hello" matches "^h.*o$"`:                       `true`,
		`input.text contains "ell"`:                      `true`,
		`input.text startsWith "x"`:                      `false`,
		`2 in nodes.a.output.l`:                          `true`,
		`"k" in nodes.a.output.o`:                        `true`,
		`5 not in nodes.a.output.l`:                      `true`,
		`nodes.a.output.l == [3.0, 1, 2]`:                `true`,
		`nodes.a.output.o != {"k": "v"}`:                 `true`,
		`nodes.a.output.l[1:]`:                           `[1,2]`,
		`"hällo"[1:3]`:                                   `"äl"`,
		`1..4`:                                           `[1,2,3,4]`,
		`4..1`:                                           `[]`,
		`filter(nodes.list.output, .n > 1)`:              `[{"k":"a","n":2},{"k":"b","n":3}]`,
		`map(nodes.list.output, .k)`:                     `["b","a","b"]`,
		`map(nodes.a.output.l, # * 10)`:                  `[30,10,20]`,
		`all(nodes.list.output, .n > 0)`:                 `true`,
		`none(nodes.list.output, .n > 5)`:                `true`,
		`one(nodes.list.output, .k == "a")`:              `true`,
		`any(nodes.list.output, .n == 9)`:                `false`,
		`count(nodes.list.output, .k == "b")`:            `2`,
		`sum(nodes.a.output.l)`:                          `6`,
		`sum(nodes.list.output, .n)`:                     `6`,
		`find(nodes.list.output, .n > 1).k`:              `"a"`,
		`find(nodes.list.output, .n > 9)?.k`:             `null`,
		`findIndex(nodes.a.output.l, # == 1)`:            `1`,
		`findLast(nodes.list.output, .k == "b").n`:       `3`,
		`findLastIndex(nodes.a.output.l, # > 9)`:         `null`,
		`map(sortBy(nodes.list.output, .n, "desc"), .n)`: `[3,2,1]`,
		`map(sortBy(nodes.list.output, .k), .n)`:         `[2,1,3]`,
		`reduce(nodes.a.output.l, #acc + #, 100)`:        `106`,
		`reduce(nodes.a.output.l, #acc + #)`:             `6`,
		`keys(groupBy(nodes.list.output, .k))`:           `["a","b"]`,

		`len("hällo")`:                         `5`,
		`len(nodes.a.output.l)`:                `3`,
		`type(nodes.a.output.x)`:               `"number"`,
		`type(null)`:                           `"null"`,
		`int("42") + int(3.9)`:                 `45`,
		`float("1.5")`:                         `1.5`,
		`string(nodes.a.output.x)`:             `"1.10"`,
		`string({"a": 1})`:                     `"{\"a\":1}"`,
		`abs(-3)`:                              `3`,
		`round(2.5)`:                           `3`,
		`ceil(nodes.a.output.x)`:               `2`,
		`max(1, nodes.a.output.l)`:             `3`,
		`min(nodes.a.output.l)`:                `1`,
		`mean([1, 2, 6])`:                      `3`,
		`median([3, 1, 2])`:                    `2`,
		`upper(trim("  hi "))`:                 `"HI"`,
		`trimPrefix("v1.2", "v")`:              `"1.2"`,
		`split("a,b,c", ",")`:                  `["a","b","c"]`,
		`split("a,b,c", ",", 2)`:               `["a","b,c"]`,
		`join(["a", "b"], "-")`:                `"a-b"`,
		`replace("aaa", "a", "b")`:             `"bbb"`,
		`repeat("ab", 3)`:                      `"ababab"`,
		`indexOf("häh", "h")`:                  `0`,
		`lastIndexOf("häh", "h")`:              `2`,
		`first([])`:                            `null`,
		`last([1, 2])`:                         `2`,
		`take([1, 2, 3], 2)`:                   `[1,2]`,
		`reverse([1, 2])`:                      `[2,1]`,
		`sort(["b", "a"], "desc")`:             `["b","a"]`,
		`uniq([1, 1.0, "1", 2, [1], [1.0]])`:   `[1,"1",2,[1]]`,
		`concat([1], [2])`:                     `[1,2]`,
		`flatten([1, [2, [3]]])`:               `[1,2,3]`,
		`keys({"b": 1, "a": 2})`:               `["a","b"]`,
		`values({"b": 1, "a": 2})`:             `[2,1]`,
		`fromPairs(toPairs({"a": 1}))`:         `{"a":1}`,
		`toJSON({"a": [1, nodes.a.output.x]})`: `"{\"a\":[1,1.10]}"`,
		`fromJSON("{\"a\": 1.50}").a`:          `1.50`,
		`fromBase64(toBase64("hi"))`:           `"hi"`,
	} {
		got, err := render(t, "{{ "+source+" }}")
		switch {
		case err != nil:
			t.Errorf("%s: %v", source, err)
		case got != want:
			t.Errorf("%s: gave %s, want %s", source, got, want)
		}
	}
}

// Errors of a run name the expression and what is wrong, and say what to do.
func TestExpressionErrors(t *testing.T) {
	for source, want := range map[string]string{
		`nodes.skipped.output.foo`:                      `nodes.skipped.output is null (skipped skipped); nodes.skipped.output?.foo would tolerate that`,
		`nodes.failed.output.foo`:                       `nodes.failed.output is null (failed failed: timeout: too slow)`,
		`nodes.a.output.nil.x`:                          `nodes.a.output.nil is null; nodes.a.output.nil?.x would tolerate that`,
		`nodes.a.output.big2`:                           `nodes.a.output has no "big2", did you mean "big"?`,
		`nodes.a.output.o.zzzzzz`:                       `nodes.a.output.o has no "zzzzzz": it has deep, k`,
		`nodes.a.output.missing.x ?? 1`:                 `nodes.a.output.missing is null; nodes.a.output.missing?.x would tolerate that`,
		`nodes.a.output.l[7]`:                           `nodes.a.output.l has 3 items, there is no [7]`,
		`nodes.a.output.l.foo`:                          `is a list: its items are chosen by a whole number, not by the string "foo"`,
		`nodes.a.output.s.foo`:                          `nodes.a.output.s is the string "text", which has no "foo"`,
		`nodes.a.output.s + 1`:                          `cannot compute the string "text" + the number 1`,
		`nodes.a.output.s > 1`:                          `cannot compare the string "text" with the number 1`,
		`nodes.a.output.n ? 1 : 2`:                      `this must be true or false, it is the number 7`,
		`not nodes.a.output.n`:                          `this must be true or false`,
		`nodes.a.output.n and true`:                     `this must be true or false`,
		`1 / (nodes.a.output.n - 7)`:                    `1 / 0 has no result`,
		`1 % (nodes.a.output.n - 7)`:                    `1 % 0 has no result`,
		`nodes.a.output.x % 2`:                          `% takes whole numbers`,
		`10.0 ** 400`:                                   `is too large`,
		`map(nodes.a.output.s, #)`:                      `map goes over a list, this is the string "text"`,
		`filter(nodes.a.output.l, #)`:                   `the condition of filter must be true or false, for item 0 it is the number 3`,
		`sort([1, nodes.a.output.s])`:                   `cannot compare`,
		`int(nodes.a.output.s)`:                         `this must be a number, it is the string "text"`,
		`fromJSON("{")`:                                 `the text is no JSON`,
		`fromBase64("/w==")`:                            `bytes that are no text`,
		`nodes.a.output.s matches "a{1" + "000}{1000}"`: `invalid nested repetition operator`,
		`join(nodes.a.output.l)`:                        `join takes strings, item 0 is the number 3`,
		`reduce([], #acc + #)`:                          `reduce of an empty list needs a start`,
		`mean([])`:                                      `nothing has no mean`,
		`-input.text`:                                   `only a number has a sign`,
		`"x" in nodes.a.output.n`:                       `in looks into a list or an object`,
		`{(nodes.a.output.o): 1}`:                       `the key of an object must be a string`,
	} {
		_, err := render(t, "{{ "+source+" }}")
		var e *event.Error
		if !errors.As(err, &e) || e.Class != event.Permanent || e.Code != "expression" || !strings.Contains(e.Message, want) {
			t.Errorf("%s: %v, want %q", source, err, want)
		} else if !strings.Contains(e.Message, "{{ "+source+" }}") {
			t.Errorf("%s: the message does not name the expression: %s", source, e.Message)
		}
	}
}

func TestTemplates(t *testing.T) {
	for name, c := range map[string]struct {
		source any
		want   string
	}{
		"one expression keeps its type": {"{{ nodes.a.output.n }}", `7`},
		"space around it is text":       {" {{ nodes.a.output.n }}", `" 7"`},
		"a string in text is raw":       {"say {{ input.text }}!", `"say hello!"`},
		"anything else in text is JSON": {"{{ nodes.a.output.l }} and {{ nodes.a.output.o }} and {{ nodes.a.output.x }} and {{ null }}",
			`"[3,1,2] and {\"deep\":{\"z\":0},\"k\":\"v\"} and 1.10 and null"`},
		"a literal brace":            {`{{ "{{" }} stays`, `"{{ stays"`},
		"a literal brace alone":      {`{{ "{{" }}`, `"{{"`},
		"braces inside expressions":  {`{{ {"a": {"b": 1}} }}`, `{"a":{"b":1}}`},
		"braces inside strings":      {`{{ "}}" + '}}' }}`, `"}}}}"`},
		"single braces are text":     {"{a} }} {", `"{a} }} {"`},
		"tables and arrays":          {map[string]any{"l": []any{"{{ index }}", 1, true, nil}, "t": "{{ item }}"}, `{"l":[4,1,true,null],"t":"item text"}`},
		"a constant":                 {map[string]any{"a": 1}, `{"a":1}`},
		"expressions over two lines": {"{{ nodes.a.output.n\n + 1 }}", `8`},
	} {
		got, err := render(t, c.source)
		if err != nil || got != c.want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, c.want)
		}
	}
	for source, want := range map[string]string{
		"{{ input":             "{{ is never closed",
		"{{ }}":                "the expression is empty",
		"{{ nope }}":           "unknown name nope",
		"{{ nodes.x.output":    "{{ is never closed",
		"{{ nodes.x.output }}": `there is no node "x"`,
	} {
		if _, err := workflow.NewTemplate(source, place); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", source, err, want)
		}
	}
}

// A value that only passes through is neither parsed nor copied.
func TestValuesPassThrough(t *testing.T) {
	tmpl, err := workflow.NewTemplate("{{ nodes.a.output }}", place)
	if err != nil {
		t.Fatal(err)
	}
	raw := []byte(`{"not":"looked at"}`)
	s := &workflow.Scope{Node: func(int) workflow.NodeView { return workflow.NodeView{Output: event.Raw(raw)} }}
	v, err := tmpl.Render(context.Background(), s)
	if err != nil || &v.JSON()[0] != &raw[0] {
		t.Errorf("the bytes were copied, or %v", err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = tmpl.Render(context.Background(), s) }); n > 2 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever an expression does, it ends soon and takes little memory.
func TestBudgets(t *testing.T) {
	for name, source := range map[string]string{
		"strings":  `reduce(1..900000, #acc + "x", "")`,
		"doubling": `reduce(1..64, #acc + #acc, "0123456789")`,
		"nested":   `map(1..2000, map(1..2000, #))`,
		"range":    `1..10000000000`,
		"whole":    `-9223372036854775807..9223372036854775807`,
		"repeat":   `repeat("0123456789", 1000000000)`,
		"replace":  `replace(repeat("a", 1000000), "a", repeat("b", 1000000))`,
		"replace0": `replace(repeat("a", 1000000), "", repeat("b", 1000000))`,
		"split":    `map(1..1000, split(repeat("a", 100000), ""))`,
		"in":       `all(1..100000, # in 1..100000)`,
		"uniq":     `uniq(map(1..100000, [#]))`,
		"equal":    `let l = 1..1000000; all(1..1000, l == l)`,
		"flatten":  `reduce(1..60, flatten([#acc, #acc]), [1])`,
		"join":     `reduce(1..60, join([#acc, #acc]), "x")`,
		"concat":   `reduce(1..60, concat(#acc, #acc), [1])`,
		"json":     `reduce(1..60, toJSON([#acc, #acc]), "x")`,
		"objects":  `reduce(1..60, [#acc, #acc], [1]) == reduce(1..60, [#acc, #acc], [1])`,
		"text":     `string(reduce(1..60, [#acc, #acc], [1]))`,
		"result":   `reduce(1..60, [#acc, #acc], 1)`,
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
			defer stop()
			tmpl, err := workflow.NewTemplate("{{ "+source+" }}", place)
			if err != nil {
				t.Fatal(err)
			}
			_, err = tmpl.Render(ctx, scope())
			if err == nil {
				t.Fatalf("no error after %v", time.Since(start))
			}
			if !strings.Contains(err.Error(), "the expression loops more than") && !strings.Contains(err.Error(), "the expression handles more than") {
				t.Errorf("after %v: %v", time.Since(start), err)
			}
		})
	}
}

// A context that ends stops an evaluation; its cause can be asked for.
func TestContext(t *testing.T) {
	tmpl, err := workflow.NewTemplate("{{ sum(map(1..900000, # * 2)) }}", place)
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("the run was cancelled")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	if _, err := tmpl.Render(ctx, scope()); !errors.Is(err, cause) || !strings.Contains(err.Error(), "the run was cancelled") {
		t.Errorf("%v", err)
	}
	if v, err := tmpl.Render(context.Background(), scope()); err != nil || string(v.JSON()) != "810000900000" {
		t.Errorf("%s, %v", v.JSON(), err)
	}
}

func TestConditionsAndLists(t *testing.T) {
	e, err := workflow.NewExpr("nodes.a.output.n > 5", place)
	if err != nil {
		t.Fatal(err)
	}
	if yes, err := e.Bool(context.Background(), scope()); !yes || err != nil {
		t.Errorf("%v, %v", yes, err)
	}
	e, _ = workflow.NewExpr("nodes.a.output.n", place)
	if _, err := e.Bool(context.Background(), scope()); err == nil || !strings.Contains(err.Error(), "a condition must be true or false, this is the number 7") {
		t.Errorf("%v", err)
	}
	list, _ := workflow.NewTemplate("{{ nodes.a.output.l }}", place)
	items, err := list.List(context.Background(), scope())
	if err != nil || len(items) != 3 || items[0].String() != "3" {
		t.Errorf("%v, %v", items, err)
	}
	none, _ := workflow.NewTemplate("{{ nodes.a.output.o }}", place)
	if _, err := none.List(context.Background(), scope()); err == nil || !strings.Contains(err.Error(), "for_each goes over a list, this is an object") {
		t.Errorf("%v", err)
	}
}
