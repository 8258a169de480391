package host

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/internal/journal"
	"wasmhost/resilience"
)

// BreakerInfo is a breaker of a root workflow.
type BreakerInfo = event.BreakerInfo

type breakerName struct{ root, key string }

func (n breakerName) String() string { return n.root + "." + n.key }

// keptBreaker is a breaker as the journal has it.
type keptBreaker struct {
	resilience.BreakerSnapshot
	// Recovery is how long the breaker stays open, for a person who opens it while
	// no process has it at hand.
	Recovery time.Duration `json:"recovery_ns"`
	// Person is true when a person set it: then it counts whatever a process
	// thinks.
	Person bool `json:"person,omitempty"`
}

// saveBreakers saves the breakers of a root workflow that are not as they were
// saved last.
func (h *Host) saveBreakers(root string) {
	if h.journal == nil {
		return
	}
	for _, b := range h.shared.Breakers(root) {
		h.saveBreaker(root, b.Key)
	}
}

func (h *Host) saveBreaker(root, key string) {
	if h.journal == nil {
		return
	}
	b, ok := h.shared.Breaker(root, key)
	if !ok {
		return
	}
	name := breakerName{root, key}
	s := h.look(b)
	defer h.saving.Unlock()
	// What changes with the clock alone is not worth a write.
	essence := fmt.Sprint(s.State, s.OpenedAt.UnixNano(), s.Failures, s.Successes)
	if h.adopting[name] || h.saved[name] == essence {
		h.saved[name] = essence
		return
	}
	if h.saved[name] == "" && s.State == resilience.Closed && s.Failures == 0 && s.OpenedAt.IsZero() {
		return // as new
	}
	text, err := json.Marshal(keptBreaker{BreakerSnapshot: s, Recovery: b.Config().RecoveryTimeout})
	if err != nil {
		return
	}
	h.saved[name] = essence
	h.saves++
	h.journal.SaveBreaker(journal.Breaker{Root: root, Key: key, State: text})
}

// look returns the state of a breaker that nothing saved is newer than, with
// h.saving held. It is not looked at under that lock: to look at a breaker may
// change it, and who is told of the change comes back here to save it.
func (h *Host) look(b *resilience.Breaker) resilience.BreakerSnapshot {
	for {
		h.saving.Lock()
		saves := h.saves
		h.saving.Unlock()
		s := b.Snapshot()
		h.saving.Lock()
		if saves == h.saves {
			return s
		}
		h.saving.Unlock()
	}
}

// recall puts the breakers of a root workflow, and its health, into the state in
// which the journal has them.
func (h *Host) recall(ctx context.Context, root string) error {
	if h.journal == nil {
		return nil
	}
	all, err := h.journal.Breakers(ctx, root)
	if err != nil {
		return h.recorded(err)
	}
	for _, row := range all {
		// One that is in use here is told by adopt what others say; the journal's
		// row may be older than what it has counted itself.
		if b, ok := h.shared.Breaker(row.Root, row.Key); ok && asNew(b.Snapshot()) {
			h.adopt(row)
		}
	}
	reports, err := h.journal.Reports(ctx, root, 0)
	if err != nil {
		return h.recorded(err)
	}
	h.monitor.Recall(root, reports)
	return nil
}

// adopt takes over what another process, or a person, says about a breaker. The
// counts of a closed one are each process's own.
func (h *Host) adopt(row journal.Breaker) {
	b, ok := h.shared.Breaker(row.Root, row.Key)
	if !ok {
		return
	}
	var k keptBreaker
	if json.Unmarshal(row.State, &k) != nil {
		return // of a version that writes otherwise: what we know ourselves stands
	}
	name := breakerName{row.Root, row.Key}
	switch now := b.Snapshot(); {
	case k.Person || asNew(now):
	case now.State == resilience.Closed && k.State == resilience.Closed:
		return
	case outdated(now, k.BreakerSnapshot):
		h.saving.Lock()
		delete(h.saved, name) // it has written over what we know: say it again
		h.saving.Unlock()
		h.saveBreaker(row.Root, row.Key)
		return
	}
	h.saving.Lock()
	h.adopting[name] = true
	h.saving.Unlock()
	b.Restore(k.BreakerSnapshot)
	h.saving.Lock()
	delete(h.adopting, name)
	h.saving.Unlock()
}

// asNew reports whether a breaker has nothing to remember.
func asNew(s resilience.BreakerSnapshot) bool {
	return s.State == resilience.Closed && s.Failures == 0 && s.OpenedAt.IsZero()
}

// outdated reports whether what another process says was written before it had
// heard of the state that we are in: it still counts towards an opening that is
// ours already, or is still open although we have healed from that very opening.
func outdated(now, said resilience.BreakerSnapshot) bool {
	switch {
	case now.State == resilience.Closed:
		return said.OpenedAt.Equal(now.OpenedAt)
	case said.State == resilience.Closed:
		return said.OpenedAt.Before(now.OpenedAt)
	}
	return false
}

// breakerRows are the breakers that the journal knows, and those of served
// workflows that it has not heard of yet, by workflow and key.
func (h *Host) breakerRows(ctx context.Context) ([]journal.Breaker, error) {
	if h.journal == nil {
		return nil, errNoJournal
	}
	rows, err := h.journal.Breakers(ctx, "")
	if err != nil {
		return nil, h.recorded(err)
	}
	s := h.served.Load()
	if s == nil {
		return rows, nil
	}
	known := map[breakerName]bool{}
	for _, row := range rows {
		known[breakerName{row.Root, row.Key}] = true
	}
	for _, root := range s.flows.names() {
		for _, state := range h.shared.Breakers(root) {
			b, ok := h.shared.Breaker(root, state.Key)
			if !ok || known[breakerName{root, state.Key}] {
				continue
			}
			text, err := json.Marshal(keptBreaker{BreakerSnapshot: b.Snapshot(), Recovery: b.Config().RecoveryTimeout})
			if err != nil {
				return nil, err
			}
			rows = append(rows, journal.Breaker{Root: root, Key: state.Key, State: text})
		}
	}
	slices.SortFunc(rows, func(a, b journal.Breaker) int {
		return cmp.Or(strings.Compare(a.Root, b.Root), strings.Compare(a.Key, b.Key))
	})
	return rows, nil
}

// AllBreakers are the breakers that the journal knows, and those of served
// workflows, by workflow and key.
func (h *Host) AllBreakers(ctx context.Context) ([]BreakerInfo, error) {
	rows, err := h.breakerRows(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]BreakerInfo, 0, len(rows))
	for _, row := range rows {
		info, _, err := h.breakerInfo(row)
		if err != nil {
			return nil, err
		}
		all = append(all, *info)
	}
	return all, nil
}

func (h *Host) breakerInfo(row journal.Breaker) (*BreakerInfo, *keptBreaker, error) {
	var k keptBreaker
	if err := json.Unmarshal(row.State, &k); err != nil {
		return nil, nil, refusal("journal", fmt.Sprintf("the breaker %s.%s cannot be read: %v", row.Root, row.Key, err))
	}
	// A breaker of the same configuration knows what has become of it by now.
	b := resilience.NewBreaker(row.Key, resilience.BreakerConfig{RecoveryTimeout: k.Recovery, FailureThreshold: 1 << 30, Window: window(k.Window)}, h.clock)
	b.Restore(k.BreakerSnapshot)
	return &BreakerInfo{Workflow: row.Root, BreakerState: call.BreakerState(row.Key, b.Snapshot()), UpdatedAt: row.At}, &k, nil
}

// window is one that the slots fit into.
func window(slots []resilience.WindowSlot) time.Duration {
	if len(slots) == 0 {
		return 0
	}
	return 24 * time.Hour
}

// ResetBreaker closes a breaker, OpenBreaker opens it, in every process that
// shares the journal. name is KEY where it is unique, else WORKFLOW.KEY. Codes:
// not_found, ambiguous.
func (h *Host) ResetBreaker(ctx context.Context, name string) (*BreakerInfo, error) {
	return h.setBreaker(ctx, name, resilience.Closed)
}

// OpenBreaker is ResetBreaker's opposite: the breaker stays open for its
// recovery timeout.
func (h *Host) OpenBreaker(ctx context.Context, name string) (*BreakerInfo, error) {
	return h.setBreaker(ctx, name, resilience.Open)
}

func (h *Host) setBreaker(ctx context.Context, name string, to resilience.State) (*BreakerInfo, error) {
	row, err := h.breakerRow(ctx, name)
	if err != nil {
		return nil, err
	}
	_, k, err := h.breakerInfo(*row)
	if err != nil {
		return nil, err
	}
	now := h.clock.Now().Round(0)
	k.BreakerSnapshot = resilience.BreakerSnapshot{Key: row.Key, State: to, TakenAt: now, OpenedAt: k.OpenedAt, LastFailure: k.LastFailure}
	if to == resilience.Open {
		k.OpenedAt, k.Remaining = now, k.Recovery
	}
	k.Person = true
	if row.State, err = json.Marshal(k); err != nil {
		return nil, err
	}
	row.At = now
	own := breakerName{row.Root, row.Key}
	h.saving.Lock()
	h.adopting[own] = true // what is saved meanwhile is older than what a person says
	h.saving.Unlock()
	defer func() {
		h.saving.Lock()
		delete(h.adopting, own)
		h.saving.Unlock()
	}()
	h.journal.SaveBreaker(journal.Breaker{Root: row.Root, Key: row.Key, State: row.State})
	if err := h.journal.Flush(ctx); err != nil {
		return nil, h.recorded(err)
	}
	h.adopt(*row)
	info, _, err := h.breakerInfo(*row)
	return info, err
}

// breakerRow finds the one breaker that a name means.
func (h *Host) breakerRow(ctx context.Context, name string) (*journal.Breaker, error) {
	rows, err := h.breakerRows(ctx)
	if err != nil {
		return nil, err
	}
	var found []journal.Breaker
	var names []string
	for _, row := range rows {
		full := breakerName{row.Root, row.Key}.String()
		if full == name {
			return &row, nil
		}
		if row.Key == name {
			found = append(found, row)
			names = append(names, full)
		}
	}
	switch len(found) {
	case 1:
		return &found[0], nil
	case 0:
		return nil, refusal("not_found", fmt.Sprintf("the journal knows no breaker %q; one is known from its first failure on: host breakers list", name))
	}
	return nil, refusal("ambiguous", fmt.Sprintf("several workflows have a breaker %q: say which, %s", name, strings.Join(names, " or ")))
}
