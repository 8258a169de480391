package bench

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	extism "github.com/extism/go-sdk"
)

const (
	chained = 100     // nodes
	payload = 1 << 10 // bytes
)

func smallGuest(t testing.TB) string {
	path, err := filepath.Abs("../../../testdata/guests/probe.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func newChained(t testing.TB, policies string) *Chained {
	c, err := NewChained(t.Context(), t.TempDir(), smallGuest(t), policies, chained, payload)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TestChained: what is measured does what it says.
func TestChained(t *testing.T) {
	for _, policies := range []string{DefaultPolicies, StackOfPolicies} {
		c := newChained(t, policies)
		out, err := c.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := string(out.Bytes()); got != strings.Repeat("x", payload) {
			t.Errorf("%d nodes made of the input %q", chained, got)
		}
		if c.Events() < 2*chained {
			t.Errorf("%d events of %d nodes", c.Events(), chained)
		}
	}
}

// BenchmarkNode is the cost of a node with everything that belongs to it: the
// engine, its policies, its events, and a call of the small guest with clean
// state, 1 KiB in and out; no journal. Beside it go-sdk's bare call of the same
// function, warm. ns/node is what to look at.
func BenchmarkNode(b *testing.B) {
	for _, p := range []struct{ name, policies string }{{"timeout", DefaultPolicies}, {"timeout-retry-breaker", StackOfPolicies}} {
		b.Run(p.name, func(b *testing.B) {
			c := newChained(b, p.policies)
			if _, err := c.Run(b.Context()); err != nil { // loads the plugin
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Run(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/chained, "ns/node")
		})
	}
	b.Run("go-sdk", func(b *testing.B) {
		m := extism.Manifest{Wasm: []extism.Wasm{extism.WasmFile{Path: smallGuest(b)}}, Timeout: 3_600_000}
		p, err := extism.NewPlugin(b.Context(), m, extism.PluginConfig{EnableWasi: true}, nil)
		if err != nil {
			b.Fatal(err)
		}
		defer p.Close(context.Background())
		input := bytes.Repeat([]byte("x"), payload)
		if _, _, err := p.Call("echo", input); err != nil { // initialises it
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			for range chained {
				if _, out, err := p.Call("echo", input); err != nil || len(out) != payload {
					b.Fatal(len(out), err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/chained, "ns/node")
	})
}
