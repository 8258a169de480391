package plugin

import (
	"fmt"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func pagesAreTold() bool { return pageMap() != nil }

// TestTouched: exactly the pages that were written are found, in memory of its
// own and in memory that shares a file's pages, where reading is no touch; too
// many are not.
func TestTouched(t *testing.T) {
	if pageMap() == nil {
		var name unix.Utsname
		unix.Uname(&name)
		t.Skipf("NOT TESTED: the kernel %s does not say which pages were touched", unix.ByteSliceToString(name.Release[:]))
	}
	const pages = 1024
	for _, shares := range []bool{false, true} {
		region := reserve(pages * page)
		defer unreserve(region)
		memory := region[:pages*page]
		if shares {
			file := newBacking(make([]byte, pages*page))
			defer file.Close()
			if err := share(memory, file); err != nil {
				t.Fatal(err)
			}
			for i := range pages {
				if memory[i*page] != 0 {
					t.Fatal("not the file's")
				}
			}
		}
		find := func(want string) {
			t.Helper()
			rows := new([maxTouchedRows]pageRange)
			n, ok := touched(memory, rows)
			got := ""
			for _, r := range rows[:n] {
				got += fmt.Sprintf("%d-%d ", r.start/page, r.end/page)
			}
			if !ok {
				got = "too many"
			}
			if got != want {
				t.Errorf("shares %v: %q, not %q", shares, got, want)
			}
		}
		find("")
		memory[0], memory[5*page], memory[6*page+9], memory[pages*page-1] = 1, 1, 1, 1
		find("0-1 5-7 1023-1024 ")
		memory[5*page] = 0 // it may be what it was again, and was touched
		find("0-1 5-7 1023-1024 ")
		if err := forget(memory[page : 6*page]); err != nil {
			t.Fatal(err)
		}
		find("0-1 6-7 1023-1024 ")
		for i := range maxTouched {
			memory[i*page] = 1
		}
		find("too many")
		if err := forget(memory); err != nil {
			t.Fatal(err)
		}
		find("")
		for i := range maxTouchedRows + 1 {
			memory[2*i*page] = 1
		}
		find("too many")
	}
	if n, ok := touched(unsafe.Slice((*byte)(nil), 0), nil); n != 0 || !ok {
		t.Error("of no memory, something was touched")
	}
}
