//go:build unix

package torture

import (
	"sync"
	"time"
)

// stamp is a time that is set once and read from elsewhere.
type stamp struct {
	mu sync.Mutex
	at time.Time
}

func (s *stamp) set(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.IsZero() {
		s.at = at
	}
}

func (s *stamp) get() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

// era is a time in which a version may have answered: from when it was asked for
// until it was seen, or acknowledged, that another one is there.
type era struct {
	digest   string
	from, to time.Time // to is zero while it goes on
	trial    bool      // it may have answered idempotent nodes alone
}

// subject is a plugin that is swapped. Only one goroutine moves it at a time, and
// knows what must come of it; eras are read when all is over.
type subject struct {
	workflow string
	name     string // WORKFLOW.PLUGIN
	file     string
	naps     bool

	current, previous string // digests; previous "": none
	onFile            string // digest
	eras              []era
	// wanted is what is under way and may be current after a kill, and asked when
	// it was asked for.
	wanted string
	asked  time.Time
}

// becomes records that a version which was asked for is current, as was seen now.
func (s *subject) becomes(digest string, asked time.Time) {
	if digest == s.current {
		return
	}
	now := time.Now()
	s.close(now)
	s.eras = append(s.eras, era{digest: digest, from: asked})
	s.previous, s.current = s.current, digest
}

// close ends what goes on.
func (s *subject) close(at time.Time) {
	for i := range s.eras {
		if s.eras[i].to.IsZero() {
			s.eras[i].to = at
		}
	}
}

// between records a version that may have been there for a while.
func (s *subject) between(digest string, asked time.Time, trial bool) {
	s.eras = append(s.eras, era{digest, asked, time.Now(), trial})
}

// could says whether a version may have answered a call that took its version
// between two times.
func (s *subject) could(digest string, from, to time.Time, idempotent bool) bool {
	for _, e := range s.eras {
		if e.digest == digest && (idempotent || !e.trial) && !e.from.After(to) && (e.to.IsZero() || !e.to.Before(from)) {
			return true
		}
	}
	return false
}
