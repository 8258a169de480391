package server

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// budget is how many bytes of bodies are in memory at once.
type budget struct {
	most int64
	// each is the most that one caller has of it; 0: all of it.
	each int64
	used atomic.Int64

	mu sync.Mutex
	by map[string]int64 // where each is set: what callers have
}

// take takes room for a caller, or none.
func (b *budget) take(from string, n int64) bool {
	if b.used.Add(n) > b.most {
		b.used.Add(-n)
		return false
	}
	if b.each == 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.by[from]+n > b.each {
		b.used.Add(-n)
		return false
	}
	if b.by == nil {
		b.by = map[string]int64{}
	}
	b.by[from] += n
	return true
}

// give gives back what was taken.
func (b *budget) give(from string, n int64) {
	b.used.Add(-n)
	if b.each == 0 || n == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.by[from] -= n; b.by[from] <= 0 {
		delete(b.by, from)
	}
}

// room is the budget of a route's bodies. Callers whom nobody knows have their
// own, a quarter of it from one address, and modules, which are large, another:
// what is half sent of these keeps nobody from starting runs.
func (s *Server) room(r *route) *budget {
	switch {
	case r.scope == Public:
		return &s.unknown
	case r.limit > s.limits.JSON:
		return &s.modules
	}
	return &s.bodies
}

// network is whom an address is counted to: a caller of IPv6 has 2⁶⁴ of them.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Unmap().Is4() {
		return address
	}
	p, _ := a.WithZone("").Prefix(64)
	return p.String()
}
