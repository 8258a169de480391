package plugin

import (
	"context"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// TestDepthIsKnown: what is read of wazero's own is still there, and is the
// depth. The module calls itself as often as its parameter says, then the host.
func TestDepthIsKnown(t *testing.T) {
	// (module (import "h" "f" (func $h (param i32))) (func $f (export "run") (param i32)
	//   (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else (call $h (local.get 0))))))
	wasm := []byte("\x00asm\x01\x00\x00\x00\x01\x08\x02\x60\x00\x00\x60\x01\x7f\x00\x02\x07\x01\x01h\x01f\x00\x01\x03\x02\x01\x01\x07\x07\x01\x03run\x00\x01" +
		"\x0a\x15\x01\x13\x00\x20\x00\x04\x40\x20\x00\x41\x01\x6b\x10\x01\x05\x20\x00\x10\x00\x0b\x0b")
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig())
	defer rt.Close(ctx)
	var run api.Function
	var seen uintptr
	host := api.GoModuleFunc(func(_ context.Context, _ api.Module, stack []uint64) { seen = depth(run, &stack[0]) })
	if _, err := rt.NewHostModuleBuilder("h").NewFunctionBuilder().WithGoModuleFunction(host, i32, none).Export("f").Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	m, err := rt.Instantiate(ctx, wasm)
	if err != nil {
		t.Fatal(err)
	}
	run = m.ExportedFunction("run")
	var before uintptr
	for _, n := range []uint64{0, 100, 10_000, 100_000} { // the stack is moved in between
		if _, err := run.Call(ctx, n); err != nil {
			t.Fatal(err)
		}
		if low, high := uintptr(n)*16, uintptr(n)*200+1000; seen == 0 || seen < low || seen > high || seen <= before {
			t.Errorf("%d calls inside one another take %d bytes of stack, %d before", n, seen, before)
		}
		before = seen
	}
	if depth(nil, &[]uint64{0}[0]) != 0 {
		t.Error("no call has a depth")
	}
}

// TestDepthIsBounded: recursion ends long before wazero would end it, in the
// same way, and takes no more memory than it may.
func TestDepthIsBounded(t *testing.T) {
	p := load(t, guest("probe"))
	e := fails(t, p, Call{Function: "recurse"})
	if e.Code != codeTrap || e.Message != "the plugin trapped: stack overflow: its calls, one inside the other, take more than 16 MiB of stack" {
		t.Error(e)
	}
}
