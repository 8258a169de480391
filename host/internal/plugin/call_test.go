package plugin

import "testing"

func TestCallGuests(t *testing.T) {
	for _, c := range []struct{ module, function, in, out string }{
		{"count_vowels.wasm", "count_vowels", "hello world", `{"count":3,"total":3,"vowels":"aeiouAEIOU"}`},
		{"hello.wasm", "run_test", "", "Hello, world!"},
		{"hello_haskell.wasm", "testing", "Ada", "Hello, Ada"},
	} {
		t.Run(c.module, func(t *testing.T) {
			p := load(t, Spec{Source: c.module, Dir: corpus()})
			for range 2 {
				a, err := p.Call(t.Context(), Call{Function: c.function, Input: []byte(c.in)})
				if err != nil || string(a.Output) != c.out {
					t.Fatalf("got %q, %v", a.Output, err)
				}
			}
		})
	}
}
