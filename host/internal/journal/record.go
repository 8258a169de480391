package journal

import (
	"context"

	"wasmhost/host/event"
)

// Record is one line of a run's history.
type Record struct {
	// N counts from 1 without gaps; the journal sets it.
	N uint64
	// Event is what happened; nil: a record for the engine alone. Its Output is
	// kept in Output and filled in again by Records.
	Event *event.Event
	// Key is the node's or item's: like Event.Node, but different for every
	// fallback level.
	Key string
	// Mark and Note are the engine's: what it does with the record in a replay.
	Mark uint8
	Note []byte
	// Output is a value's JSON. Large ones lie in a table of their own, by
	// digest, once.
	Output []byte
}

// Records returns a run's records whose N is more than after, in order, at most
// limit of them (0: all).
func (j *Journal) Records(ctx context.Context, run string, after uint64, limit int) ([]Record, error) {
	return nil, errNotOpen
}
