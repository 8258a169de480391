package host

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wasmhost/host/event"
)

// TestALookMakesABreakerHalfOpen: whoever looks at a breaker when its time is over
// changes it, and is told of that while still at it.
func TestALookMakesABreakerHalfOpen(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "w.toml")
	fails := "\x00asm\x01\x00\x00\x00\x01\x05\x01\x60\x00\x01\x7f\x03\x02\x01\x00\x07\x07\x01\x03run\x00\x00\x0a\x06\x01\x04\x00\x41\x01\x0b"
	text := `[run]
on_failure = "continue"
[plugins.p]
source = "p.wasm"
[breakers.b]
failure_threshold = 1
recovery_timeout = "20ms"
[nodes.opens]
plugin = "p"
breaker = "b"
[nodes.goes-on]
plugin = "p"
retry = { max_retries = 3, backoff = "constant", base_delay = "50ms", on = ["unknown"] }
`
	for name, text := range map[string]string{file: text, filepath.Join(dir, "p.wasm"): fails} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h, err := Open(t.Context(), Config{CacheDir: "-", State: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	w, findings, err := h.Load(t.Context(), file)
	if err != nil {
		t.Fatal(err, findings)
	}
	halfOpen := make(chan bool, 10)
	r, err := h.Start(t.Context(), w, Options{Sink: event.SinkFunc(func(e *event.Event) {
		if e.Type == event.BreakerChanged && e.To == "half_open" {
			halfOpen <- true
		}
	})})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := r.Wait(ctx); err != nil {
		t.Fatal(err) // and closing would never end either
	}
	select {
	case <-halfOpen: // by a failed attempt of the other node, which saves the breakers
	default:
		t.Error("nobody looked at the breaker while the run went on")
	}
	if _, err := h.OpenBreaker(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	looked := make(chan []event.BreakerState)
	go func() {
		for {
			if s := h.Breakers(w); s[0].State == "half_open" {
				looked <- s
				return
			}
		}
	}()
	select {
	case <-looked:
	case <-ctx.Done():
		t.Fatal("a look at a breaker never came back")
	}
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
