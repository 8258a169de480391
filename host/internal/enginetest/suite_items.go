package enginetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
)

// odd fails for odd numbers and squares the others.
func odd(_ context.Context, c plugin.Call) (string, error) {
	var n int
	if _, err := fmt.Sscan(string(c.Input), &n); err != nil {
		return "", err
	}
	if n%2 == 1 {
		return "", Err(event.Transient, "odd")
	}
	return fmt.Sprint(n * n), nil
}

func numbers(n ...int) []any {
	var all []any
	for _, v := range n {
		all = append(all, v)
	}
	return all
}

func itemCases() []Case {
	ok := Says("ok")
	second := After(time.Second, Echo)
	return []Case{{
		Name:    "one call per item, the outputs in order",
		Plan:    Plan("w", Node("each", ForEach(numbers(3, 1, 2), 0, 1), With(map[string]any{"i": "{{ index }}", "v": "{{ item }}"}))),
		Plugins: Plugins{"each": ByNode(map[string]Func{"each[0]": After(3*time.Second, Echo), "each[1]": Echo, "each[2]": After(time.Second, Echo)})},
		Want:    "succeeded each=succeeded:3 each[0]=succeeded:1 each[1]=succeeded:1 each[2]=succeeded:1",
		Output:  `[{"i":0,"v":3},{"i":1,"v":1},{"i":2,"v":2}]`, Took: 3 * time.Second,
	}, {
		Name:    "max_parallel, and no batches",
		Plan:    Plan("w", Node("each", ForEach(numbers(1, 2, 3, 4), 2, 1))),
		Plugins: Plugins{"each": ByNode(map[string]Func{"each[0]": After(5*time.Second, Echo), "each[1]": second, "each[2]": second, "each[3]": second})},
		Took:    5 * time.Second, Calls: "each[0]#1@0 each[1]#1@0 each[2]#1@1000 each[3]#1@2000",
	}, {
		Name:    "an empty list",
		Plan:    Plan("w", Node("each", ForEach([]any{}, 0, 1))),
		Plugins: Plugins{"each": ok}, Want: "succeeded each=succeeded", Output: "[]",
	}, {
		Name: "not a list",
		Plan: Plan("w", Node("each", ForEach("{{ input }}", 0, 1), FallbackValue("x"))), Input: "text",
		Plugins: Plugins{"each": ok}, Want: "failed(expression) each=failed(expression)",
	}, {
		Name:    "min_success absorbs",
		Plan:    Plan("w", Node("each", ForEach(numbers(2, 3, 4, 6), 1, 0.75))),
		Plugins: Plugins{"each": Func(odd)},
		Want:    "degraded each=degraded:4 each[0]=succeeded:1 each[1]=failed:1(odd) each[2]=succeeded:1 each[3]=succeeded:1",
		Output:  "[4,null,16,36]",
		Check: func(t *testing.T, o *Outcome) {
			if e := o.Result.Nodes["each"].Items[1].Error; e.Node != "each[1]" || e.Plugin != "each" {
				t.Errorf("%+v", e)
			}
		},
	}, {
		Name: "below min_success the node fails, and under stop at once",
		Plan: Plan("w", Node("each", ForEach(numbers(2, 3, 5, 6, 8), 2, 0.75))),
		Plugins: Plugins{"each": ByNode(map[string]Func{"each[0]": After(10*time.Second, odd), "each[1]": After(time.Second, odd),
			"each[2]": After(time.Second, odd), "each[3]": odd, "each[4]": odd})},
		Want: "failed(odd) each=failed:3(odd) each[0]=cancelled:1 each[1]=failed:1(odd) each[2]=failed:1(odd) each[3]=cancelled each[4]=cancelled",
		Took: 2 * time.Second,
		Check: func(t *testing.T, o *Outcome) {
			want := "2 of 5 items failed, min_success = 0.75 tolerates 1: item 1: odd: it says odd"
			if e := o.Result.Error; e.Message != want || e.Class != event.Transient {
				t.Errorf("%+v", e)
			}
		},
	}, {
		Name:    "under continue all items are tried",
		Plan:    Plan("w", Continues, Node("each", ForEach(numbers(3, 2, 4), 1, 1))),
		Plugins: Plugins{"each": Func(odd)},
		Want:    "failed(odd) each=failed:3(odd) each[0]=failed:1(odd) each[1]=succeeded:1 each[2]=succeeded:1",
	}, {
		Name:    "a share that is not exact in binary",
		Plan:    Plan("w", Node("each", ForEach(numbers(1, 2, 2, 2, 2, 2, 2, 2, 2, 2), 0, 0.9))),
		Plugins: Plugins{"each": Func(odd)},
		Check: func(t *testing.T, o *Outcome) {
			if o.Result.Status != event.Degraded {
				t.Errorf("%s", Summary(o.Result))
			}
		},
	}, {
		Name:    "items have the whole stack, and a fallback",
		Plan:    Plan("w", Node("each", ForEach(numbers(1, 2), 0, 1), Retry(1, time.Second), FallbackValue("f"))),
		Plugins: Plugins{"each": Func(odd)},
		Want:    "degraded each=degraded:3 each[0]=degraded:2@fallback[0] each[1]=succeeded:1", Output: `["f",4]`,
	}, {
		Name:    "the node's deadline is for all items",
		Plan:    Plan("w", Node("each", ForEach(numbers(1, 2, 3), 1, 0.5), Deadline(2500*time.Millisecond)), Node("b", Needs("each"))),
		Plugins: Plugins{"each": second, "b": Func(Echo)},
		Want:    "degraded b=succeeded:1 each=degraded:3 each[0]=succeeded:1 each[1]=succeeded:1 each[2]=failed:1(deadline)",
		Output:  "[1,2,null]", Took: 2500 * time.Millisecond,
	}, {
		Name:    "a deadline that leaves too few",
		Plan:    Plan("w", Continues, Node("each", ForEach(numbers(1, 2, 3, 4), 1, 1), Deadline(1500*time.Millisecond)), Node("h", Needs("each"), If(workflow.IfFailed))),
		Plugins: Plugins{"each": second, "h": ok},
		Want:    "degraded each=failed:2(deadline) each[0]=succeeded:1 each[1]=failed:1(deadline) each[2]=failed(deadline) each[3]=failed(deadline) h=succeeded:1",
		Took:    1500 * time.Millisecond,
		Check: func(t *testing.T, o *Outcome) {
			items := o.Result.Nodes["each"].Items
			if !items[1].Error.OutcomeUnknown || items[2].Error.OutcomeUnknown {
				t.Errorf("outcome unknown: in flight %v, not begun %v", items[1].Error.OutcomeUnknown, items[2].Error.OutcomeUnknown)
			}
			if items[2].Error.Node != "each[2]" || items[3].Error.Node != "each[3]" {
				t.Errorf("%+v %+v", items[2].Error, items[3].Error)
			}
		},
	}, {
		Name:    "another node's failure cuts the items",
		Plan:    Plan("w", Node("each", ForEach(numbers(1, 2, 3), 1, 0)), Node("bad")),
		Plugins: Plugins{"each": second, "bad": After(1500*time.Millisecond, Fails(event.Permanent, "boom"))},
		Want:    "failed(boom) bad=failed:1(boom) each=cancelled:2 each[0]=succeeded:1 each[1]=cancelled:1 each[2]=cancelled",
		Took:    1500 * time.Millisecond,
	}, {
		Name: "items that were queued for a slot do not wait for it to be cut",
		// The failing item's siblings stand behind a slow node that has the slot.
		Plan:    Plan("w", Concurrency(2), Node("slow"), Node("each", ForEach(numbers(1, 2, 4, 6), 0, 1))),
		Plugins: Plugins{"slow": After(time.Minute, ok), "each": After(time.Second, odd)},
		Want:    "failed(odd) each=failed:1(odd) each[0]=failed:1(odd) each[1]=cancelled each[2]=cancelled each[3]=cancelled slow=cancelled:1",
		Took:    time.Second,
	}, {
		Name:    "kept over whole-run retries",
		Plan:    Plan("w", RunRetry(2, time.Second), Continues, Node("each", ForEach(numbers(2, 3, 4), 1, 1))),
		Plugins: Plugins{"each": ByNode(map[string]Func{"each[0]": odd, "each[1]": Then(odd, odd, ok), "each[2]": odd})},
		Want:    "succeeded each=succeeded:5 each[0]=succeeded:1 each[1]=succeeded:3 each[2]=succeeded:1",
		Output:  `[4,"ok",16]`, Calls: "each[0]#1@0 each[1]#1@0 each[2]#1@0 each[1]#2@1000 each[1]#3@2000",
	}, {
		Name:    "the promise is about each item",
		Plan:    Plan("w", Node("each", ForEach([]any{"a", 2}, 0, 0.5), Promises(`{"type":"string"}`))),
		Plugins: Plugins{"each": Func(Echo)},
		Want:    "degraded each=degraded:2 each[0]=succeeded:1 each[1]=failed:1(invalid_output)",
	}, {
		Name:    "many items that fail before they begin",
		Plan:    Plan("w", Continues, Node("each", ForEach(make([]any, 2000), 1, 0), Sub(Plan("s", Node("x"))), With("{{ item.x }}"))),
		Plugins: Plugins{"x": ok},
		Check: func(t *testing.T, o *Outcome) {
			if o.Result.Status != event.Degraded || len(o.Calls) != 0 {
				t.Errorf("%s with %d calls", o.Result.Status, len(o.Calls))
			}
		},
	}, {
		Name: "cancelled in the middle",
		Plan: Plan("w", Node("each", ForEach(numbers(1, 2, 3), 1, 0))), CancelAt: 1500 * time.Millisecond,
		Plugins: Plugins{"each": second},
		Want:    "cancelled(cancelled) each=cancelled:2 each[0]=succeeded:1 each[1]=cancelled:1 each[2]=cancelled", Took: 1500 * time.Millisecond,
	}}
}
