package plugin

import (
	"math"
	"slices"
	"time"
)

// judge compares a canary with the current version over the same time and the
// same kind of calls.
//
// Failures. The canary failed f of c calls that the current version then
// answered; of the current version's n calls k failed. It is worse when it
// failed at least twice, and so many failures would come about with a chance
// below 1 % if it were as good as the current version: P(X ≥ f) < 0.01 for X
// binomial with c calls and the rate (k+1)/(n+2), Laplace's rule of succession,
// which takes care of small n. Two failures in the first calls are enough, one
// is not.
//
// Latency. After every eight good calls, and before it is promoted, the two
// samples are compared by the Mann-Whitney U test, as Kayenta, the canary judge
// of Netflix and Google, does: no assumption is made about how latencies spread.
// It is worse when its calls are slower with a chance of error below 1 %
// (one-sided, z > 2.33), and the median is larger by more than a quarter and by
// more than a millisecond. That something is slower for certain is not enough:
// with many calls the smallest difference becomes certain. (Kayenta's default
// fraction is a quarter too, of its estimate of the shift.)
type judge struct {
	good, failures       int
	others, othersFailed int
	mine, theirs         sample
	last                 string // the last failure, in words
}

const (
	chance         = 0.01
	normal         = 2.326 // of chance, one-sided
	leastFailures  = 2
	leastSample    = 8
	tolerance      = 0.25
	toleranceFixed = time.Millisecond
)

// verdict says what the calls so far come to; good ones are wanted.
func (j *judge) verdict(good int) verdict {
	calls := j.good + j.failures
	if rate := float64(j.othersFailed+1) / float64(j.others+2); j.failures >= leastFailures && atLeast(j.failures, calls, rate) < chance {
		return rolledBack("%d of its %d calls failed and were answered by the current version, of which %d of %d failed; the last: %s", j.failures, calls, j.othersFailed, j.others, j.last)
	}
	// Not after every call: sorting costs more than the call does.
	if j.good%leastSample == 0 || j.good >= good {
		mine, theirs := j.mine.sorted(), j.theirs.sorted()
		own, other := quantile(mine, 0.5), quantile(theirs, 0.5)
		more := own - other
		if min(len(mine), len(theirs)) >= leastSample && more > toleranceFixed && float64(more) > tolerance*float64(other) && slower(mine, theirs) > normal {
			return rolledBack("it is slower: half of its last %d calls took more than %v, and half of the current version's %v", len(mine), own.Round(time.Microsecond), other.Round(time.Microsecond))
		}
	}
	if j.good >= good {
		return promoted("it answered %d calls well, and %d not", j.good, j.failures)
	}
	return verdict{}
}

// atLeast is the chance of f or more failures in n calls that fail at a rate.
func atLeast(f, n int, rate float64) float64 {
	fewer, one := 0.0, math.Pow(1-rate, float64(n)) // one: exactly i
	for i := range f {
		fewer += one
		one *= float64(n-i) / float64(i+1) * rate / (1 - rate)
	}
	return max(1-fewer, 0)
}

// slower is the z of the Mann-Whitney U test of two sorted samples: how many
// standard deviations the first one's ranks lie above those of a sample like the
// second. Ties share their ranks.
func slower(a, b []time.Duration) float64 {
	na, nb := float64(len(a)), float64(len(b))
	n := na + nb
	ranks, ties := 0.0, 0.0
	for i, j, rank := 0, 0, 1.0; i < len(a) || j < len(b); {
		at := time.Duration(math.MaxInt64)
		if i < len(a) {
			at = a[i]
		}
		if j < len(b) {
			at = min(at, b[j])
		}
		fromA, fromB := 0.0, 0.0
		for ; i < len(a) && a[i] == at; i++ {
			fromA++
		}
		for ; j < len(b) && b[j] == at; j++ {
			fromB++
		}
		same := fromA + fromB
		ranks += fromA * (rank + (same-1)/2)
		ties += same * (same*same - 1)
		rank += same
	}
	u := ranks - na*(na+1)/2
	spread := math.Sqrt(na * nb / 12 * (n + 1 - ties/(n*(n-1))))
	if spread == 0 {
		return 0
	}
	return (u - na*nb/2) / spread
}

// sample are the last values of a series.
type sample struct {
	values []time.Duration
	next   int
}

const sampleSize = 256

func (s *sample) add(d time.Duration) {
	if len(s.values) < sampleSize {
		s.values = append(s.values, d)
		return
	}
	s.values[s.next] = d
	s.next = (s.next + 1) % sampleSize
}

func (s *sample) sorted() []time.Duration { return slices.Sorted(slices.Values(s.values)) }
