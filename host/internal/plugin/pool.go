package plugin

import (
	"sync"
	"time"
)

// idleFor is how long an instance waits for its next call before it is given
// back.
const idleFor = 30 * time.Second

// pool holds the instances of a plugin that are ready for a call. The one used
// last is taken first, so that those which are too many grow old.
type pool struct {
	mu    sync.Mutex
	ready []idle // the longest idle first
	timer *time.Timer
	ended bool
}

type idle struct {
	*instance
	since time.Time
}

// take returns an instance whose guest runtime is set up or not, as the call
// needs it; nil when there is none.
func (p *pool) take(initialised bool) *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.ready) - 1; i >= 0; i-- {
		if in := p.ready[i].instance; in.plugin.spec.Reset == ResetNever || in.started == initialised {
			copy(p.ready[i:], p.ready[i+1:])
			p.ready[len(p.ready)-1] = idle{}
			p.ready = p.ready[:len(p.ready)-1]
			return in
		}
	}
	return nil
}

// put keeps an instance, at most limit of them; false: it is not wanted.
func (p *pool) put(in *instance, now time.Time, limit int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return false
	}
	if len(p.ready) >= limit { // of the other kind, or it could not be
		p.ready[0].close()
		p.ready = append(p.ready[:0], p.ready[1:]...)
	}
	p.ready = append(p.ready, idle{in, now})
	if p.timer == nil && in.plugin.spec.Reset == ResetCall {
		// Its state is nobody's: another one is as good. What reset = "never" keeps
		// is the guest's own.
		p.timer = time.AfterFunc(idleFor, p.shrink)
	}
	return true
}

// size is how many instances wait.
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
	old := 0
	for ; old < len(p.ready) && time.Since(p.ready[old].since) >= idleFor; old++ {
		p.ready[old].close()
	}
	n := copy(p.ready, p.ready[old:])
	clear(p.ready[n:])
	p.ready = p.ready[:n]
	if n == 0 {
		p.timer = nil
		return
	}
	p.timer.Reset(idleFor - time.Since(p.ready[0].since))
}

// end closes all that is idle, for good.
func (p *pool) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if p.timer != nil {
		p.timer.Stop()
	}
	for _, in := range p.ready {
		in.close()
	}
	p.ready = nil
}
