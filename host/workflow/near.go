package workflow

import (
	"iter"
	"strings"
)

// near returns the candidate that a person most likely meant by name, "" when
// none is close. Close is: at most a third of the letters differ, a swap of
// neighbours counting once, case not at all.
func near(name string, candidates iter.Seq[string]) string {
	best, bestDistance := "", 0
	lower := strings.ToLower(name)
	for c := range candidates {
		limit := max(len(name), len(c))/3 + 1
		if limit > 4 {
			limit = 4
		}
		if len(c)-len(name) >= limit || len(name)-len(c) >= limit {
			continue
		}
		d := distance(lower, strings.ToLower(c), limit)
		if d >= limit || d >= max(len(name), len(c)) {
			continue
		}
		closer := best == "" || d < bestDistance
		if d == bestDistance && best != "" {
			x, y := prefix(lower, strings.ToLower(c)), prefix(lower, strings.ToLower(best))
			closer = x > y || x == y && c < best
		}
		if closer {
			best, bestDistance = c, d
		}
	}
	return best
}

// prefix is how many bytes two strings have in common at the beginning.
func prefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// didYouMean is the hint for a name that is not there.
func didYouMean(name string, candidates iter.Seq[string]) string {
	if c := near(name, candidates); c != "" {
		return `did you mean "` + c + `"?`
	}
	return ""
}

// distance is the Damerau-Levenshtein distance (optimal string alignment) of
// two short strings; it stops early at limit.
func distance(a, b string, limit int) int {
	if len(a) > 128 || len(b) > 128 {
		return limit
	}
	previous2 := make([]int, len(b)+1)
	previous := make([]int, len(b)+1)
	current := make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		lowest := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], previous2[j-2]+1)
			}
			lowest = min(lowest, current[j])
		}
		if lowest >= limit {
			return limit
		}
		previous2, previous, current = previous, current, previous2
	}
	return previous[len(b)]
}

// someOf lists names for a hint, cut after ten.
func someOf(names iter.Seq[string]) string {
	var b strings.Builder
	n := 0
	for name := range names {
		if n == 10 {
			b.WriteString(", …")
			break
		}
		if n > 0 {
			b.WriteString(", ")
		}
		b.WriteString(name)
		n++
	}
	return b.String()
}
