package host

import "slices"

// latencies are the last attempts of a node in order of length, so that their
// quantiles cost nothing: they are in the result of every run, for every node.
type latencies struct {
	recent []float64 // a ring once it is full
	next   int
	sorted []float64
}

// latenciesKept is how many attempts the quantiles are taken from.
const latenciesKept = 1024

func (l *latencies) add(ms float64) {
	if len(l.recent) < latenciesKept {
		l.recent = append(l.recent, ms)
	} else {
		i, _ := slices.BinarySearch(l.sorted, l.recent[l.next])
		l.sorted = slices.Delete(l.sorted, i, i+1)
		l.recent[l.next] = ms
		l.next = (l.next + 1) % latenciesKept
	}
	i, _ := slices.BinarySearch(l.sorted, ms)
	l.sorted = slices.Insert(l.sorted, i, ms)
}

// quantiles are nearest-rank quantiles; nil of none.
func (l *latencies) quantiles() map[string]float64 {
	s := l.sorted
	if len(s) == 0 {
		return nil
	}
	rank := func(q float64) float64 { return s[min(int(q*float64(len(s))), len(s)-1)] }
	return map[string]float64{"p50": rank(0.5), "p90": rank(0.9), "p99": rank(0.99), "max": s[len(s)-1]}
}
