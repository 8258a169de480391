package telemetry

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Place is where something happens: an attempt of a node in a run.
type Place struct {
	Run string
	// Workflow is the name of the workflow that the node belongs to: the fallback
	// levels of a run have nodes of the same path.
	Workflow string
	Node     string // the path, as events have it
	Attempt  int    // from 1; a hedge has the number of the attempt beside it
}

// The ids of a trace are hashes of what they name, so that nobody has to remember
// them: a plugin's request knows its parent before the attempt's span is there,
// and a run that another process resumes goes on in its own trace.
type (
	traceID [16]byte
	spanID  [8]byte
)

func traceOf(run string) traceID {
	sum := digest("trace", run, 0)
	return traceID(sum[:16])
}

// runSpan is the span of a run's generation: one that a person retries begins
// another under the same trace.
func runSpan(run string, generation int) spanID {
	return short(digest("run", run, generation))
}

// nodeSpan is the span of a node or item. Round counts how often the run, or a
// sub-workflow around the node, has begun again: in another round, or with its next
// fallback level.
func nodeSpan(run string, generation int, path string, round int) spanID {
	return short(digest("node", run, generation, path, strconv.Itoa(round)))
}

// attemptSpan needs no round: the numbers of attempts go on over rounds, and levels
// are workflows of other names.
func attemptSpan(generation int, p Place) spanID {
	return short(digest("attempt", p.Run, generation, p.Workflow, p.Node, strconv.Itoa(p.Attempt)))
}

// askerSpan is the span around the requests of a place: the attempt's, or the run's
// where a health check asks ("health.db"), of which there is no event when it began.
func askerSpan(generation int, p Place) spanID {
	if strings.HasPrefix(p.Node, "health.") { // the id of a node has no dot
		return runSpan(p.Run, generation)
	}
	return attemptSpan(generation, p)
}

// anySpan is the span of a request: there may be any number of one name.
func anySpan() (s spanID) {
	for s == (spanID{}) {
		binary.BigEndian.PutUint64(s[:], rand.Uint64())
	}
	return s
}

// parentPath is the path of the node or item around a node, or of the node around an
// item; "" is the run.
func parentPath(path string) string {
	if isItem(path) {
		if open := strings.LastIndexByte(path, '['); open >= 0 {
			return path[:open]
		}
	}
	return path[:max(strings.LastIndexByte(path, '/'), 0)]
}

// digest hashes the parts with their lengths, so that no two lists of parts are
// the same text.
func digest(kind, run string, generation int, rest ...string) [32]byte {
	var room [256]byte
	b := room[:0]
	add := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	add(kind)
	add(run)
	b = binary.AppendVarint(b, int64(generation))
	for _, s := range rest {
		add(s)
	}
	return sha256.Sum256(b)
}

func short(sum [32]byte) spanID { return spanID(sum[:8]) }

// traceParent is the W3C header.
func traceParent(t traceID, s spanID, sampled bool) string {
	var b [55]byte
	copy(b[:], "00-")
	hex.Encode(b[3:], t[:])
	b[35] = '-'
	hex.Encode(b[36:], s[:])
	copy(b[52:], "-00")
	if sampled {
		b[54] = '1'
	}
	return string(b[:])
}

// spanOf is the span that a header of traceParent names, zero when there is none.
func spanOf(header string) (s spanID) {
	if len(header) == 55 {
		_, _ = hex.Decode(s[:], []byte(header[36:52])) // it is ours
	}
	return s
}
