package sandboxtest

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// held is what the process holds: what must be back after an attack.
type held struct {
	heap, resident, mapped int64 // bytes: Go's heap, in memory, address space
	descriptors            int
	goroutines             int
}

func (h held) String() string {
	return fmt.Sprintf("heap %.1f MiB, resident %.1f MiB, mapped %.1f MiB, %d descriptors, %d goroutines",
		mib(h.heap), mib(h.resident), mib(h.mapped), h.descriptors, h.goroutines)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// holding collects, gives back to the system what can be given, and measures.
func holding() held {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h := held{heap: int64(m.HeapAlloc), goroutines: runtime.NumGoroutine()}
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil {
		var mapped, resident int64
		if _, err := fmt.Fscan(bytes.NewReader(statm), &mapped, &resident); err == nil {
			page := int64(os.Getpagesize())
			h.mapped, h.resident = mapped*page, resident*page
		}
	}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		h.descriptors = len(open)
	}
	return h
}

// slack is what may be more than before: pools of the standard library, the
// runtime's own lists, pages that are partly used.
const (
	slackHeap     = 2 << 20
	slackResident = 24 << 20
)

// back waits until the process holds no more than before: connections and their
// goroutines end a moment after they were closed.
func back(t *testing.T, before held) {
	t.Helper()
	var now held
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		now = holding()
		if now.heap <= before.heap+slackHeap && now.resident <= before.resident+slackResident &&
			now.descriptors <= before.descriptors && now.goroutines <= before.goroutines {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("not given back:\nbefore %v\nafter  %v", before, now)
			return
		}
	}
}
