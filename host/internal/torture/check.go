//go:build unix

package torture

import (
	"fmt"

	"wasmhost/host/event"
)

// leftBehind is what must hold of the journal that a dead process left behind. before
// is what the process found.
func (l *lane) leftBehind(jobs []Job, v *life, before *snapshot) {
	for run, old := range before.runs {
		now := v.after.runs[run]
		if now == nil {
			l.wrong(run, "it was in the journal and is not any more")
			continue
		}
		if now.Records < old.Records {
			l.wrong(run, "it had %d records and has %d", old.Records, now.Records)
		}
		for key := range old.done {
			if old.done[key] && !now.done[key] {
				l.wrong(run, "the success of %s is not there any more", key)
			}
		}
	}
	for _, j := range jobs {
		now := v.after.runs[j.ID]
		if v.began[j.ID] && now == nil {
			l.wrong(j.ID, "it was acknowledged and is not in the journal")
			continue
		}
		if now == nil {
			continue
		}
		if status := v.ended[j.ID]; status == string(kindOf(j.Kind).Status) && now.Status != status {
			l.wrong(j.ID, "its end was acknowledged as %s, the journal has %s", status, now.Status)
		}
		calls := l.server.of(j.ID)
		for node := range v.done[j.ID] {
			if calls[node] != nil && !now.done[node] && (now.approved == 0 || !once(node)) {
				l.wrong(j.ID, "%s was told to have succeeded, and the journal does not know", node)
			}
		}
		// What is done is counted now: it must not be called again.
		for key, list := range calls {
			if now.done[base(key)] {
				if _, known := l.counted[j.ID+"/"+key]; !known {
					l.counted[j.ID+"/"+key] = len(list)
				}
			}
		}
	}
}

// base is a key without the fallback: what the journal's records go by.
func base(key string) string {
	for i := len(key) - 1; i >= 0 && key[i] >= '#' && key[i] <= '9'; i-- {
		if key[i] == '#' {
			return key[:i]
		}
	}
	return key
}

// over is what must hold of a run that has ended, after some lives.
func (l *lane) over(j Job, result *event.Result, lives []*life, end *snapshot) {
	if what := right(j, result); what != "" {
		l.wrong(j.ID, "%s", what)
	}
	row := end.runs[j.ID]
	if row == nil || row.Status != string(result.Status) {
		l.wrong(j.ID, "it ended as %s, the journal has %+v", result.Status, row)
		return
	}
	if row.finished < 1 || row.finished > row.Generation {
		l.wrong(j.ID, "its end was told %d times in %d generations", row.finished, row.Generation)
	}
	for node, n := range row.told {
		if n > row.Generation {
			l.wrong(j.ID, "%s was told to have succeeded %d times", node, n)
		}
	}
	for key, list := range l.server.of(j.ID) {
		l.called(j, key, list, lives, row)
	}
	l.server.forget(j.ID)
}

// called is what must hold of the calls of one answerer of a node or an item.
func (l *lane) called(j Job, key string, list []made, lives []*life, end *recorded) {
	if n, known := l.counted[j.ID+"/"+key]; known && len(list) > n {
		l.wrong(j.ID, "%s was done after %d calls, and was called %d times", key, n, len(list))
	}
	delete(l.counted, j.ID+"/"+key)
	most := scriptOf(key).calls
	if once(key) {
		most += end.again[key]
		l.counts.add(&l.counts.Parked, end.again[key])
	} else {
		// One more for every process that died in a call of it.
		for _, v := range lives {
			for _, c := range list {
				if row := v.after.runs[j.ID]; v.killed && c.Life == v.number && (row == nil || !row.done[base(key)]) {
					most++
					break
				}
			}
		}
	}
	if len(list) > most {
		l.wrong(j.ID, "%s was called %d times (%+v), %d were the most", key, len(list), list, most)
	}
	l.counts.add(&l.counts.Extra, max(0, len(list)-scriptOf(key).calls))
	for i, c := range list {
		if end.Generation > 1 {
			break // a retry by a person counts from 1
		}
		if i > 0 && list[i-1].Life == c.Life && list[i-1].Attempt >= c.Attempt {
			l.wrong(j.ID, "%s: attempt %d of a process follows %d", key, c.Attempt, list[i-1].Attempt)
		}
		for _, v := range lives {
			if row := v.after.runs[j.ID]; row != nil && c.Life > v.number && c.Attempt <= row.failed[base(key)] {
				l.wrong(j.ID, "%s: attempt %d was made again: the journal had the failure of %d", key, c.Attempt, row.failed[base(key)])
			}
		}
	}
}

func (l *lane) wrong(run, format string, args ...any) {
	l.counts.add(&l.counts.Violations, 1)
	l.bad = true
	l.t.Errorf("seed %d, %s: run %s: %s", l.seed, l.history(), run, fmt.Sprintf(format, args...))
}
