package host

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A host that serves goes on with every run of the journal that nobody works on:
// those that were interrupted, by its own end or another process's, and those that
// wait when their deadline has passed or somebody has said something to them.

const (
	// freeEvery is how often such runs are looked for.
	freeEvery = 500 * time.Millisecond
	// goOnAtOnce are those that are read from the journal side by side.
	goOnAtOnce = 4
	// refusedFor is how long a run is left alone that could not be gone on with.
	refusedFor = time.Minute
)

// refused is a run that could not be gone on with.
type refused struct {
	until time.Time // then it is tried again
	why   string    // it was said
}

// goOnWithRuns looks for such runs until ctx ends.
func (s *served) goOnWithRuns(ctx context.Context) {
	tick := time.NewTicker(freeEvery)
	defer tick.Stop()
	not := map[string]*refused{}
	for first := true; ; first = false {
		ids, err := s.journal.Free(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Error("the journal cannot be read", "error", err)
		}
		s.goOnWith(ctx, ids, not)
		if first && len(ids) > 0 {
			s.log.Info("gone on with runs of an earlier process", "runs", len(ids), "refused", len(not))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// goOnWith goes on with runs, as many as have room.
func (s *served) goOnWith(ctx context.Context, ids []string, not map[string]*refused) {
	now := s.clock.Now()
	free := make(map[string]bool, len(ids))
	for _, id := range ids {
		free[id] = true
	}
	var mu sync.Mutex
	for id := range not {
		if !free[id] {
			delete(not, id)
		}
	}
	hands := make(chan struct{}, goOnAtOnce)
	var all sync.WaitGroup
	for _, id := range ids {
		mu.Lock()
		was := not[id]
		mu.Unlock()
		if was != nil && now.Before(was.until) {
			continue
		}
		// Those that have no room stay in the journal, where they cost nothing.
		if s.slots.waiting() > 0 || ctx.Err() != nil {
			break
		}
		hands <- struct{}{}
		all.Go(func() {
			defer func() { <-hands }()
			if err := s.goOnFree(ctx, id); err != nil && ctx.Err() == nil {
				if was == nil || was.why != err.Error() {
					s.log.Warn("the run cannot be gone on with", "run", id, "error", err)
				}
				mu.Lock()
				not[id] = &refused{now.Add(refusedFor), err.Error()}
				mu.Unlock()
			}
		})
	}
	all.Wait()
}

// goOnFree goes on with one run that nobody worked on a moment ago.
func (s *served) goOnFree(ctx context.Context, id string) error {
	info, err := s.journal.Run(ctx, id)
	if err != nil || info.Alive || info.Status.Ended() {
		return err
	}
	_, err = s.goOn(ctx, info, Options{}, nil)
	if errors.Is(err, errTaken) || errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// tidy does what is to be done now and then, until ctx ends: old runs are deleted,
// and recorded calls written down.
func (s *served) tidy(ctx context.Context) {
	tick := time.NewTicker(recordingsEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		if n%10 == 0 && (s.o.KeepFor > 0 || s.o.KeepRuns > 0) {
			if deleted, err := s.Retain(ctx, s.o.KeepFor, s.o.KeepRuns); err != nil && ctx.Err() == nil {
				s.log.Error("old runs cannot be deleted", "error", err)
			} else if deleted > 0 {
				s.log.Info("old runs have been deleted", "runs", deleted)
			}
		}
		s.saveAllRecordings(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// warmPlugins loads what the served workflows need, so that the first run of each
// does not wait for it, and what cannot be loaded is said.
func (s *served) warmPlugins(ctx context.Context) {
	for _, e := range s.plugins.all(s.servedRoots()) {
		if ctx.Err() != nil {
			return
		}
		if _, err := s.plugins.load(ctx, e); err != nil && ctx.Err() == nil && !errors.Is(err, errUnused) {
			s.log.Warn("the plugin cannot be loaded", "plugin", e.at.String(), "error", err)
		}
	}
}
