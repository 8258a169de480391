package host_test

import (
	"testing"

	"wasmhost/host"
)

// TestChangeIsAudited: a change that was answered is in the journal already, where
// the next process finds it whatever becomes of this one.
func TestChangeIsAudited(t *testing.T) {
	s := serve(t, t.TempDir(), nil, host.ServeOptions{Files: []string{file(t, t.TempDir(), "one", shouts)}})
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		if _, err := s.AddToken(t.Context(), name, "read"); err != nil {
			t.Fatal(err)
		}
		if all, err := s.Audits(t.Context(), 1); err != nil || len(all) != 1 || all[0].Target != name {
			t.Fatalf("after %s: %+v, %v", name, all, err)
		}
	}
}
