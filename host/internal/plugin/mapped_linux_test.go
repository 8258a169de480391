package plugin

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"wasmhost/host/event"
)

// TestMappingFails lets mmap fail halfway, with what lay there before taken
// away: nobody touches the hole, the instance is closed, the call says why, and
// later ones work.
func TestMappingFails(t *testing.T) {
	holes := 0
	real := mapOver
	defer func() { mapOver = real }()
	fail := func(_ int, _ int64, at unsafe.Pointer, n uintptr, _, _ int) (unsafe.Pointer, error) {
		holes++
		if err := unix.MunmapPtr(at, n); err != nil {
			t.Error(err)
		}
		return nil, unix.ENOMEM
	}
	p := load(t, guest("large"))
	want := "the plugin returned 9 and no error text"
	mapOver = fail
	// The first instance made its state itself, and loses its memory when it is to
	// go back to it.
	if e := fails(t, p, Call{}); e.Message != want || holes != 1 || p.pool.size() != 0 {
		t.Errorf("%v, %d holes, %d instances", e, holes, p.pool.size())
	}
	// Later ones have to begin with it.
	for i := range 3 {
		if e := fails(t, p, Call{}); e.Code != codeMemory || e.Class != event.System || e.Message != "there is no memory for one more instance" || holes != 2+i || p.pool.size() != 0 {
			t.Errorf("%v, %d holes, %d instances", e, holes, p.pool.size())
		}
	}
	mapOver = real
	for range 2 {
		if e := fails(t, p, Call{}); e.Message != want || p.pool.size() != 1 {
			t.Errorf("%v, %d instances", e, p.pool.size())
		}
	}
}

// TestAddressSpaceIsLimited: where a process may not have all it likes, memories
// are ordinary ones from some point on, and calls work the same.
func TestAddressSpaceIsLimited(t *testing.T) {
	real := addressSpace
	defer func() { addressSpace = real }()
	before := regionBytes.Load()
	addressSpace = func() int64 { return before + 200<<20 } // three regions of 64 MiB
	p := load(t, guest("large"))
	e, _ := p.exports.entry("run")
	for i := range 4 {
		in := newInstance(p)
		defer in.close()
		for range 2 {
			if _, _, failed := in.serve(t.Context(), e, &Call{}); failed == nil || failed.Message != "the plugin returned 9 and no error text" || !in.reusable() {
				t.Fatal(failed)
			}
		}
		if mapped := in.handles[0].linear.region != nil; mapped != (i == 0) {
			t.Errorf("instance %d: mapped %v", i, mapped)
		}
	}
	if now := regionBytes.Load(); now > addressSpace() || now == before {
		t.Errorf("%d bytes are reserved, %d before", now, before)
	}
}
