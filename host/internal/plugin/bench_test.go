package plugin

import (
	"context"
	"testing"
)

// BenchmarkCall is one whole call with a deadline: with a new instance, and
// with one that is kept.
func BenchmarkCall(b *testing.B) {
	for _, c := range []struct{ name, function, reset string }{
		{"nothing/new", "nothing", ResetCall},
		{"nothing/kept", "nothing", ResetNever},
		{"echo1K/new", "echo", ResetCall},
		{"echo1K/kept", "echo", ResetNever},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := NewRuntime(Config{CacheDir: compiledCode()})
			defer r.Close(context.Background())
			s := guest("probe")
			s.Reset = c.reset
			p, err := r.Load(b.Context(), s)
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			input := make([]byte, 1024)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Call(ctx, Call{Function: c.function, Input: input}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
