package host

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// writeCheck tries now and then whether the journal takes anything.
type writeCheck struct {
	mu   sync.Mutex
	at   time.Time
	last error
}

const (
	writeCheckEvery    = 5 * time.Second
	writeCheckPatience = 2 * time.Second
)

// journalWrites is why the journal does not write, as of a few seconds ago: who
// asks may be anybody.
func (s *served) journalWrites(ctx context.Context) error {
	c := &s.checked
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := s.clock.Now(); c.at.IsZero() || now.Sub(c.at) >= writeCheckEvery || now.Before(c.at) {
		try, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeCheckPatience)
		c.at, c.last = now, s.journal.Flush(try)
		cancel()
	}
	return c.last
}

// Ready is nil when runs can be taken, else why not.
func (s *served) Ready(ctx context.Context) []string {
	var why []string
	if s.isStopping() {
		why = append(why, "the server is stopping")
	}
	if err := s.journalWrites(ctx); err != nil {
		why = append(why, "the journal does not write: "+err.Error())
	}
	for _, f := range s.flows.loaded() {
		if f.unable != nil {
			continue // it was said at the start, and does not mend itself
		}
		if ok, failing := s.monitor.Ready(f.w.plan); !ok {
			why = append(why, fmt.Sprintf("workflow %s is not healthy: %s", f.name, strings.Join(failing, ", ")))
		}
	}
	return why
}

// watchHealth runs the checks of every workflow in the background, until ctx ends.
func (f *flows) watchHealth(ctx context.Context, s *served) {
	type watch struct {
		w    *Workflow
		stop context.CancelFunc
	}
	watches := map[string]watch{}
	var all sync.WaitGroup
	for ctx.Err() == nil {
		changed := f.next()
		for _, one := range f.loaded() {
			if was, ok := watches[one.name]; ok {
				if was.w == one.w {
					continue
				}
				was.stop()
			}
			checks, stop := context.WithCancel(ctx)
			watches[one.name] = watch{one.w, stop}
			plan := one.w.plan
			if len(plan.Health) > 0 && one.unable == nil {
				all.Go(func() { s.monitor.Watch(checks, plan) })
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	for _, w := range watches {
		w.stop()
	}
	all.Wait()
}
