package telemetry

import (
	"strings"
	"sync"
)

// other stands for every value of a label beyond the most that are told apart.
const other = "other"

// How many values of a label are told apart, for the life of the process. Names of
// workflows, nodes and plugins come from files that an operator wrote; codes come
// from plugins, too, which may invent a new one for every call.
const (
	mostWorkflows = 500
	mostNodes     = 2000 // of a workflow, with the plugin that answered
	mostNames     = 1000
	mostCodes     = 100
	longestName   = 256
)

// label is s as the value of a label: text, and not endless. The copy lets go of
// what s is a part of.
func label(s string) string {
	if len(s) > longestName {
		return other
	}
	return strings.Clone(strings.ToValidUTF8(s, "?"))
}

// names keeps the values of a label few.
type names struct {
	most int
	mu   sync.RWMutex
	seen map[string]string
}

func newNames(most int) *names { return &names{most: most, seen: map[string]string{}} }

// of is the value under which s is counted.
func (n *names) of(s string) string {
	n.mu.RLock()
	kept, ok := n.seen[s]
	full := len(n.seen) >= n.most
	n.mu.RUnlock()
	switch {
	case ok:
		return kept
	case full:
		return other
	}
	kept = label(s)
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.seen) >= n.most {
		return other
	}
	n.seen[kept] = kept
	return kept
}

// appendNode appends a node's path without the indexes of items: "report/each[3]"
// is counted as "report/each".
func appendNode(b []byte, path string) []byte {
	for {
		open := strings.IndexByte(path, '[')
		if open < 0 {
			return append(b, path...)
		}
		b = append(b, path[:open]...)
		shut := strings.IndexByte(path[open:], ']')
		if shut < 0 {
			return b
		}
		path = path[open+shut+1:]
	}
}

// isItem reports whether a path is an item's, not a node's.
func isItem(path string) bool { return strings.HasSuffix(path, "]") }
