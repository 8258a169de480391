package journal

import (
	"context"
	"time"

	"wasmhost/host/event"
)

// Breaker is the state of a breaker of a root workflow. State is opaque here.
type Breaker struct {
	Root, Key string
	State     []byte
	At        time.Time // when it was saved
	By        string    // who saved it
	Version   int64     // grows with every save of any breaker
}

// SaveBreaker queues a state; the last one of a key wins.
func (j *Journal) SaveBreaker(b Breaker) {}

// Breakers returns the states of one root workflow, "" of all, by root and key.
func (j *Journal) Breakers(ctx context.Context, root string) ([]Breaker, error) {
	return nil, errNotOpen
}

// SaveReport queues a round of health checks; the last 100 of a workflow are
// kept.
func (j *Journal) SaveReport(workflow string, r *event.Report) {}

// Reports returns the last n reports of a workflow (0: all that are kept),
// oldest first.
func (j *Journal) Reports(ctx context.Context, workflow string, n int) ([]*event.Report, error) {
	return nil, errNotOpen
}
