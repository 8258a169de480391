package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"wasmhost/host/event"
)

// idleFor is how long an instance waits for its next call before it is given
// back.
const idleFor = 30 * time.Second

// pool lets the calls of a plugin in, as many at once as it may have instances,
// and holds the instances that are ready for one. The one used last is taken
// first, so that those which are too many grow old. A call takes its lock twice.
type pool struct {
	plugin *Plugin
	mu     sync.Mutex
	// working are the calls that were let in and have not left; waiting the turns
	// of those that will be, the longest first.
	working int
	waiting []chan struct{}
	ready   []idle // the longest idle first
	timer   *time.Timer
	ended   bool // no new calls
}

type idle struct {
	*instance
	since int64
}

// enter lets a call in, and gives it an instance whose guest runtime is set up
// or not, as it needs it: nil when none is ready. It waits until there is room
// or ctx is done. Who was let in has to leave.
func (p *pool) enter(ctx context.Context, initialised bool) (*instance, *event.Error) {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		closed := fault(event.System, codeClosed, "plugin %q is closed", p.plugin.spec.Name)
		closed.Cause = errClosed
		return nil, closed
	}
	if ctx.Err() != nil {
		p.mu.Unlock()
		return nil, overContext(ctx, "the call had not begun")
	}
	if limit := p.plugin.limits.Instances; p.working >= limit {
		turn := make(chan struct{})
		p.waiting = append(p.waiting, turn)
		p.mu.Unlock()
		select {
		case <-turn:
			p.mu.Lock()
		case <-ctx.Done():
			p.giveUp(turn)
			over := overContext(ctx, fmt.Sprintf("waiting for one of %d instances of the plugin (limits.instances)", limit))
			if over.Code == codeTimeout {
				over.Code = codeInstances
			}
			return nil, over
		}
	} else {
		p.working++
	}
	in := p.take(initialised)
	p.mu.Unlock()
	return in, nil
}

// giveUp takes a turn back; when it has just come, the next one has it.
func (p *pool) giveUp(turn chan struct{}) {
	p.mu.Lock()
	i := slices.Index(p.waiting, turn)
	if i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
	p.mu.Unlock()
	if i < 0 {
		p.leave(nil, 0)
	}
}

// take is the instance used last that serves the call. One that is kept for good
// serves all of them.
func (p *pool) take(initialised bool) *instance {
	for i := len(p.ready) - 1; i >= 0; i-- {
		if in := p.ready[i].instance; in.started == initialised || p.plugin.spec.Reset == ResetNever {
			copy(p.ready[i:], p.ready[i+1:])
			p.ready[len(p.ready)-1] = idle{}
			p.ready = p.ready[:len(p.ready)-1]
			return in
		}
	}
	return nil
}

// leave ends a call at now. Its instance is kept for the next one; nil: it is of
// no use any more.
func (p *pool) leave(in *instance, now int64) {
	p.mu.Lock()
	var surplus *instance
	switch {
	case in == nil:
	case p.ended:
		surplus = in
	default:
		if len(p.ready) >= p.plugin.limits.Instances { // of the other kind, or it could not be
			surplus = p.ready[0].instance
			p.ready = append(p.ready[:0], p.ready[1:]...)
		}
		p.ready = append(p.ready, idle{in, now})
		if p.timer == nil && p.plugin.spec.Reset == ResetCall {
			// Its state is nobody's: another one is as good. What reset = "never" keeps
			// is the guest's own.
			p.timer = time.AfterFunc(idleFor, p.shrink)
		}
	}
	if len(p.waiting) > 0 {
		close(p.waiting[0])
		p.waiting = slices.Delete(p.waiting, 0, 1)
	} else {
		p.working--
	}
	last := p.ended && p.working == 0
	p.mu.Unlock()
	if surplus != nil {
		surplus.close()
	}
	if last {
		p.plugin.dispose()
	}
}

// errClosed marks the error of a call that came too late to begin.
var errClosed = errors.New("closed")

// load is how many calls are at work and how many wait for a turn, and how many
// instances for a call.
func (p *pool) load() (working, waiting, ready int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.working, len(p.waiting), len(p.ready)
}

// inUse is how many calls are at work, size how many instances wait for one.
func (p *pool) inUse() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.working
}

func (p *pool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.ready)
}

// shrink gives back what was idle for too long.
func (p *pool) shrink() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	now, old := clock(), 0
	for ; old < len(p.ready) && now-p.ready[old].since >= int64(idleFor); old++ {
		p.ready[old].close()
	}
	n := copy(p.ready, p.ready[old:])
	clear(p.ready[n:])
	p.ready = p.ready[:n]
	if n == 0 {
		p.timer = nil
		return
	}
	p.timer.Reset(idleFor - time.Duration(now-p.ready[0].since))
}

// end lets nobody in any more; those who wait still are.
func (p *pool) end() {
	p.mu.Lock()
	last := !p.ended && p.working == 0
	p.ended = true
	p.mu.Unlock()
	if last {
		p.plugin.dispose()
	}
}

// empty closes all that is idle.
func (p *pool) empty() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	for _, in := range p.ready {
		in.close()
	}
	p.ready = nil
}
