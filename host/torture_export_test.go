package host

import "context"

// OpenAt is Open with a hook that is called at every named point around a write
// of the journal.
func OpenAt(ctx context.Context, c Config, point func(name string)) (*Host, error) {
	c.point = point
	return Open(ctx, c)
}
