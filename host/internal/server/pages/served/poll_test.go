package served

import (
	"testing"
	"time"
)

// poll waits for what another process does.
func poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	for began := time.Now(); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 60*time.Second {
			t.Fatalf("not after a minute: %s", what)
		}
	}
}
