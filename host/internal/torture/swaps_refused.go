//go:build unix

package torture

import (
	"context"
	"slices"
	"strings"
	"time"

	"wasmhost/host/event"
)

// spoiled is the next bad one.
func (m *mover) spoiled() (*module, error) {
	if len(m.queue) == 0 {
		// Hostile ones burn a processor until they are stopped: once in two rounds.
		m.queue = append(slices.Clone(badKinds), badKinds...)
		m.random.Shuffle(len(m.queue), func(i, j int) { m.queue[i], m.queue[j] = m.queue[j], m.queue[i] })
		seen := map[string]bool{}
		m.queue = slices.DeleteFunc(m.queue, func(kind string) bool {
			again := seen[kind] && slices.Contains(hostileKinds, kind)
			seen[kind] = true
			return again
		})
	}
	kind := m.queue[0]
	m.queue = m.queue[1:]
	return m.foundry.spoiled(kind, m.random)
}

func (m *mover) badUpload(ctx context.Context) (string, error) {
	v, err := m.spoiled()
	if err != nil {
		return "", err
	}
	m.asked = time.Now()
	mode := []event.SwapMode{event.SwapNow, event.SwapCanary, event.SwapShadow}[m.random.IntN(3)]
	report, err := m.send(ctx, event.SwapRequest{Plugin: m.name, Module: v.bytes, Mode: mode})
	switch {
	case err != nil:
		return "", err
	case report.Refused == nil:
		m.wrong.add("%s: %s (%s) was taken in mode %s", m.name, v.label, v.bad, mode)
	case v.code != "" && report.Refused.Code != v.code:
		m.wrong.add("%s: %s (%s) was refused with code %s, not %s", m.name, v.label, v.bad, report.Refused.Code, v.code)
	}
	return "refused: " + v.bad, m.is(ctx, "a module that was refused ("+v.bad+")")
}

func (m *mover) badFile(ctx context.Context) (string, error) {
	v, err := m.spoiled()
	if err != nil {
		return "", err
	}
	m.asked = time.Now()
	if err := m.write(v.bytes); err != nil {
		return "", err
	}
	m.onFile = v.digest
	for began := time.Now(); ; {
		all, err := m.client().Audits(ctx, 200)
		if err != nil {
			return "", err
		}
		i := slices.IndexFunc(all, func(a event.Audit) bool {
			return a.By == "file watch" && a.Target == m.name && a.Time.After(m.asked) &&
				strings.HasPrefix(a.Detail, m.file) && (!a.OK || strings.Contains(a.Detail, v.digest+", before")) // of the swap before, it may be told late
		})
		if i >= 0 {
			if all[i].OK {
				m.wrong.add("%s: %s (%s) was taken from its file: %s", m.name, v.label, v.bad, all[i].Detail)
			}
			break
		}
		if time.Since(began) > patience {
			m.wrong.add("%s: that %s (%s) in its file was refused is not in the audit", m.name, v.label, v.bad)
			break
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return "refused in the file: " + v.bad, m.is(ctx, "a file that was refused ("+v.bad+")")
}
