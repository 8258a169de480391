package journal

import "context"

// Finding is what Check found.
type Finding struct {
	What, Where string
	Next        string // what to do
	Bad         bool
}

// Check looks at the journal in dir without changing it: files and their modes,
// versions, SQLite's own check, checksums and gaps of records, digests of
// outputs, owners that died.
func Check(ctx context.Context, dir string) ([]Finding, error) { return nil, errNotOpen }
