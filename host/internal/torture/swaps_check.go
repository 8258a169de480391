//go:build unix

package torture

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// trace is a call as the plugin itself left it.
type trace struct {
	place   int // among all
	version *module
	attempt int
	at      time.Time // by the plugin's own clock, when it began
}

// traces are those in the file, by idempotency key.
func (c *swaps) traces() (map[string][]trace, int, error) {
	text, err := os.ReadFile(c.calls)
	if err != nil {
		return nil, 0, err
	}
	all, n := map[string][]trace{}, 0
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 4 || !strings.HasSuffix(line, "\n") {
			return nil, n, fmt.Errorf("line %d of %s is torn: %q", n+1, c.calls, line)
		}
		attempt, err1 := strconv.Atoi(f[2])
		nanoseconds, err2 := strconv.ParseInt(f[3], 10, 64)
		v := c.foundry.labelled(f[0])
		if err1 != nil || err2 != nil || v == nil {
			return nil, n, fmt.Errorf("line %d of %s is none of ours: %q", n+1, c.calls, line)
		}
		all[f[1]] = append(all[f[1]], trace{n, v, attempt, time.Unix(0, nanoseconds)})
		n++
	}
	return all, n, nil
}

// check compares what plugins did with what the journal says and with which
// versions there were.
func (c *swaps) check() error {
	all, n, err := c.traces()
	if err != nil {
		return err
	}
	byWorkflow := map[string]*subject{}
	for _, s := range c.subjects {
		byWorkflow[s.workflow] = s
	}
	answered := map[*module]int{} // by versions that were canaries: idempotent calls
	promotedAt := map[*module]int{}
	onceFrom := map[*module]trace{} // their first other call
	for _, r := range c.load.runs {
		if !r.ended {
			continue // that was said
		}
		for node, a := range r.answers {
			key := r.id + "/" + node
			c.call(r, node, a, all[key], byWorkflow[r.shape.name])
			for _, t := range all[key] {
				if t.version.good == 0 || t.version.sick {
					continue
				}
				if r.shape.idempotent(node) {
					answered[t.version]++
				} else if first, ok := onceFrom[t.version]; !ok || t.place < first.place {
					onceFrom[t.version] = t
				}
			}
			delete(all, key)
		}
	}
	// A canary answers idempotent calls alone until it is promoted, which it is not
	// before it has answered so many well.
	for key, list := range all {
		c.wrong.add("%s was called %d times, and the journal has no answer of it", key, len(list))
	}
	text, err := os.ReadFile(c.calls)
	if err != nil {
		return err
	}
	place := 0
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		v := c.foundry.labelled(f[0])
		_, node, _ := strings.Cut(f[1], "/")
		if once := node == "once" || strings.HasPrefix(node, "pays["); v.good > 0 && !once {
			promotedAt[v]++
		} else if v.good > 0 {
			asked := v.promoted.get()
			if at := onceFrom[v]; at.place == place && promotedAt[v] < v.good && (asked.IsZero() || at.at.Before(asked)) {
				c.wrong.add("%s: %s, which is not idempotent, was called on the canary %s after %d of the %d calls that it has to answer", f[1], node, v.label, promotedAt[v], v.good)
			}
		}
		place++
	}
	c.lines, c.canaries = n, answered
	return nil
}

// call checks the calls of one node or item of a run.
func (c *swaps) call(r *ran, node string, a answer, list []trace, s *subject) {
	idempotent := r.shape.idempotent(node)
	var answers []trace
	for _, t := range list {
		switch {
		case t.version.bad != "":
			c.wrong.add("%s/%s was called on %s (%s), which was refused", r.id, node, t.version.label, t.version.bad)
		case t.version.sick:
			c.repeated++
			if !idempotent {
				c.wrong.add("%s/%s, which is not idempotent, was called on the canary %s", r.id, node, t.version.label)
			}
			if !s.could(t.version.digest, a.from, t.at, true) && c.load.killed(r.began, a.to) == 0 {
				c.wrong.add("%s/%s was called on %s, which was not on trial then", r.id, node, t.version.label)
			}
		default:
			answers = append(answers, t)
		}
	}
	most := 1
	if idempotent {
		most += c.load.killed(r.began, a.to)
	}
	if len(answers) > most || len(answers) == 0 && !a.approved {
		c.wrong.add("%s/%s was done %d times (the process was killed %d times meanwhile)", r.id, node, len(answers), c.load.killed(r.began, a.to))
	}
	if a.approved {
		c.approved++
		if idempotent {
			c.wrong.add("%s/%s is idempotent and was approved", r.id, node)
		}
		return
	}
	if len(answers) > 1 {
		c.again += len(answers) - 1
	}
	v := c.foundry.of(a.digest)
	if v == nil || v.bad != "" || v.sick {
		c.wrong.add("%s/%s: the journal says that %s answered", r.id, node, a.digest)
		return
	}
	for i, t := range answers {
		if i == len(answers)-1 {
			if t.version != v {
				c.wrong.add("%s/%s: the journal says that %s answered, and %s was called", r.id, node, v.label, t.version.label)
			}
			if !s.could(a.digest, a.from.Add(-clocks), t.at.Add(clocks), idempotent) {
				c.wrong.add("%s/%s took %s between %s and %s, which was not there then: %s", r.id, node, v.label, a.from.Format(stampFormat), t.at.Format(stampFormat), s.story(a.digest))
			}
		}
		if t.at.After(a.to.Add(clocks)) {
			c.wrong.add("%s/%s was called at %s, after its answer was recorded at %s", r.id, node, t.at.Format(stampFormat), a.to.Format(stampFormat))
		}
	}
}

// clocks is how much the clocks of two processes of a machine may differ as they
// are read: it is one clock, read to the nanosecond by some and the microsecond
// by others.
const clocks = 10 * time.Microsecond

const stampFormat = "15:04:05.000000"

// story tells when a version was there.
func (s *subject) story(digest string) string {
	var words []string
	for _, e := range s.eras {
		if e.digest == digest {
			words = append(words, fmt.Sprintf("%s to %s (on trial: %v)", e.from.Format(stampFormat), e.to.Format(stampFormat), e.trial))
		}
	}
	return strings.Join(words, ", ")
}
