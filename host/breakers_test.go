package host_test

import (
	"testing"
	"time"

	"wasmhost/host"
	"wasmhost/host/event"
)

// TestLoadKeepsABreakerOpen: what the journal has of a breaker may be older than
// what the process itself knows.
func TestLoadKeepsABreakerOpen(t *testing.T) {
	s := newService(t)
	h, err := host.Open(t.Context(), host.Config{CacheDir: cache(), State: t.TempDir(), Durable: host.DurableNone,
		Getenv: func(name string) (string, bool) { return s.URL, name == "URL" }})
	if err != nil {
		t.Fatal(err)
	}
	defer closeHost(t, h)
	file := write(t, t.TempDir(), tripping+ask("a", `breaker = "svc"`), s)
	s.on("/a", broken)
	wantStatus(t, wait(t, start(t, h, file, "")), event.Failed)
	until(t, "the first failure to be in the journal", func() bool {
		all, err := h.AllBreakers(t.Context())
		return err == nil && len(all) == 1 && all[0].Failures == 1
	})
	w := loaded(t, h, file)
	for range 2 {
		r, err := h.Start(t.Context(), w, host.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wait(t, r)
		w = loaded(t, h, file) // before the opening has reached the journal, most likely
		if state := h.Breakers(w)[0].State; state != "open" {
			t.Errorf("the breaker is %s", state)
		}
	}
}

// TestLateCountDoesNotClose: another process that has not heard yet that a
// breaker is open writes what it has counted. That closes nothing, here or there.
func TestLateCountDoesNotClose(t *testing.T) {
	s, state := newService(t), t.TempDir()
	file := write(t, t.TempDir(), tripping+ask("a", `breaker = "svc"`), s)
	one, two := process(t, state, s), process(t, state, s)
	w1, w2 := loaded(t, one, file), loaded(t, two, file)
	s.on("/a", broken)
	fail := func(h *host.Host, w *host.Workflow) {
		r, err := h.Start(t.Context(), w, host.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wait(t, r)
	}
	fail(one, w1) // counts one, which the other does not hear of: it has none to take over
	until(t, "the other process to look", func() bool { return two.Breakers(w2)[0].Failures == 1 })
	fail(one, w1)
	if err := host.SaveClosed(t.Context(), two, "w", "svc", 1); err != nil {
		t.Fatal(err)
	}
	late := time.Now().Add(time.Second) // four looks at the journal
	for time.Now().Before(late) {
		if state := one.Breakers(w1)[0].State; state != "open" {
			t.Fatalf("the breaker is %s in the process that opened it", state)
		}
		time.Sleep(20 * time.Millisecond)
	}
	until(t, "the other process to see it open", func() bool { return two.Breakers(w2)[0].State == "open" })
}
