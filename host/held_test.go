package host_test

import (
	"testing"

	"wasmhost/host"
	"wasmhost/host/event"
)

// TestGoingOnHoldsNothing: a process that answers and retries runs for years must
// not keep a workflow, with its plugins, for each of them.
func TestGoingOnHoldsNothing(t *testing.T) {
	s := newService(t)
	h := process(t, t.TempDir(), s)
	file := write(t, t.TempDir(), "[nodes.ok]\napproval = \"Well?\"\n"+ask("a", `needs = ["ok"]`), s)
	w := loaded(t, h, file)
	s.on("/a", broken)
	for _, id := range []string{"r1", "r2", "r3"} {
		r, err := h.Start(t.Context(), w, host.Options{RunID: id})
		if err != nil {
			t.Fatal(err)
		}
		wantStatus(t, wait(t, r), event.Waiting)
		if r, err = h.Approve(t.Context(), id, host.Approval{}, host.Options{}); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, wait(t, r), event.Failed)
		if r, err = h.Retry(t.Context(), id, host.RetryOptions{}); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, wait(t, r), event.Failed)
		if _, err := h.Retry(t.Context(), id, host.RetryOptions{From: "nothing"}); err == nil {
			t.Error("it has no such node")
		}
	}
	until(t, "the workflows that were loaded again to be given back", func() bool { return h.Prepared() == 1 })
}
