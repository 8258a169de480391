//go:build !linux

package plugin

// Elsewhere nobody says which pages were written to.

type pageRange struct{ start, end, _ uint64 }

const maxTouchedRows = 1

func touched([]byte, *[maxTouchedRows]pageRange) (int, bool) { return 0, false }
