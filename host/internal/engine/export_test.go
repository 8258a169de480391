package engine

import (
	"context"
	"math"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
)

// Look is what a history comes to, without going on with the run: its result,
// or where it stands. Only ID, Plan, Input, History, Parks and Seed of s count.
func Look(s Start, now time.Time) (Outcome, error) {
	base, end := context.WithCancelCause(context.Background())
	defer end(nil)
	s.Emit = func(*event.Event) {}
	r := &run{clock: call.RealClock(), start: s, base: base, end: end, emit: s.Emit, slots: newSlots(1, func() {}),
		ladders: map[*Ladder]*frame{}, flows: map[*Flow]*frame{}, nodes: map[nodeKey]*frame{}, began: now,
		replay: newReplay(), resumed: inFlight{}}
	if len(s.History) > 0 {
		r.began = s.History[0].time(now)
	}
	r.retold = math.MaxInt // nobody goes on with the run: nothing is told or chosen
	r.progress = NewProgress(base, s.Plan, s.ID, s.Input, r.began, Options{Parks: s.Parks, Seed: s.Seed})
	if err := r.replay.all(r, s.History); err != nil {
		return Outcome{}, err
	}
	r.compact()
	r.progress.waiting = r.progress.Parked() > 0 && len(r.ready)+len(r.replay.checks)+len(r.replay.pauses) == 0
	return r.outcome(), nil
}
