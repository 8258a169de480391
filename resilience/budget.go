package resilience

import (
	"math"
	"sync"
)

// budgetFull is the number of tokens of a full budget, in millionths: whole
// numbers, so that five times 0.2 is one retry and not a little less.
const (
	token      = 1_000_000
	budgetFull = 10 * token
)

// Budget keeps retries from multiplying the load on something that is already
// down: a bucket of tokens, full at 10, that gains ratio per first attempt and
// loses 1 per retry. It is safe for concurrent use and meant to be shared by
// all stacks that call the same thing. A nil Budget allows everything.
type Budget struct {
	mu     sync.Mutex
	gain   int64
	tokens int64
}

// NewBudget returns a full budget that lets retries add ratio (0.2: 20 %) to
// the calls in the long run. A ratio of 0 allows ten retries and no more.
func NewBudget(ratio float64) *Budget {
	return &Budget{gain: int64(math.Round(min(max(ratio, 0), 10) * token)), tokens: budgetFull}
}

// Tokens is the number of retries that could be made now, with its fraction.
func (b *Budget) Tokens() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return float64(b.tokens) / token
}

// deposit is called for a first attempt.
func (b *Budget) deposit() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.tokens+b.gain, budgetFull)
}

// withdraw takes the token of a retry.
func (b *Budget) withdraw() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens < token {
		return false
	}
	b.tokens -= token
	return true
}
