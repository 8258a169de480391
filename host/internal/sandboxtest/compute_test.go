package sandboxtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGuestsThatNeverEnd runs every guest that needs no host: loops, trees of
// calls, tail calls, recursion, fills and copies, growth of memory and tables.
// The first line of each says what must happen.
func TestGuestsThatNeverEnd(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sources, "*.wat"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d guests in %s, %v", len(files), sources, err)
	}
	var attacks []attack
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		a := attack{name: strings.TrimSuffix(name, ".wat"), guest: name, deadline: hang, want: stopped}
		if first, _, _ := strings.Cut(string(text), "\n"); strings.HasPrefix(first, ";; trap ") {
			a.deadline, a.want = 0, trapped.with(strings.Split(first, `"`)[1])
		} else if !strings.HasPrefix(first, ";; stopped") {
			t.Fatalf("%s: the first line does not say what must happen", name)
		}
		attacks = append(attacks, a)
	}
	attacked(t, attacks)
}
