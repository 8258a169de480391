//go:build unix

package torture

import (
	"context"
	"fmt"
	"slices"
	"time"

	"wasmhost/host/event"
)

// tried begins a trial.
func (m *mover) tried(ctx context.Context, v *module, mode event.SwapMode) error {
	if v.good = 2 + m.random.IntN(2); mode == event.SwapShadow {
		v.good = 3 + m.random.IntN(5)
	}
	m.asked = time.Now()
	if !v.sick && mode == event.SwapCanary {
		m.wanted = v.digest
	}
	return m.swap(ctx, v, mode, v.good)
}

// over waits for the end of a trial, and says whether the version is current.
func (m *mover) over(ctx context.Context, v *module) (promoted bool, err error) {
	err = m.until(ctx, "the trial of "+v.label+" has ended", func(info *event.PluginInfo) bool {
		promoted = info.Digest == v.digest
		return !slices.ContainsFunc(info.Versions, onTrial)
	})
	return promoted, err
}

func onTrial(v event.PluginVersion) bool {
	return v.State == event.VersionCanary || v.State == event.VersionShadow
}

func (m *mover) goodCanary(ctx context.Context) (string, error) {
	v := m.foundry.fine(m.naps, m.random)
	if err := m.tried(ctx, v, event.SwapCanary); err != nil {
		return "", err
	}
	promoted, err := m.over(ctx, v)
	if err != nil {
		return "", err
	}
	m.between(v.digest, m.asked, true)
	what := "canary, too slow by its judge"
	if promoted {
		what = "canary, promoted"
		m.becomes(v.digest, m.asked)
	}
	return what, m.is(ctx, "a canary")
}

func (m *mover) sickCanary(ctx context.Context) (string, error) {
	v := m.foundry.failing(m.random)
	if err := m.tried(ctx, v, event.SwapCanary); err != nil {
		return "", err
	}
	promoted, err := m.over(ctx, v)
	if promoted {
		m.wrong.add("%s: %s fails at every call and was promoted", m.name, v.label)
	}
	if err != nil {
		return "", err
	}
	m.between(v.digest, m.asked, true)
	return "sick canary", m.is(ctx, "a canary that fails")
}

// shadow may be good or sick: it never answers.
func (m *mover) shadow(ctx context.Context) (string, error) {
	v := m.foundry.failing(m.random)
	if m.random.IntN(2) == 0 {
		v = m.foundry.fine(m.naps, m.random)
	}
	if err := m.tried(ctx, v, event.SwapShadow); err != nil {
		return "", err
	}
	if _, err := m.over(ctx, v); err != nil {
		return "", err
	}
	return "shadow", m.is(ctx, "a shadow")
}

// cutShort ends a trial while it goes on, or as it ends.
func (m *mover) cutShort(ctx context.Context) (string, error) {
	v, mode := m.foundry.fine(m.naps, m.random), event.SwapCanary
	if m.random.IntN(3) == 0 {
		mode = event.SwapShadow
	}
	if err := m.tried(ctx, v, mode); err != nil {
		return "", err
	}
	asked := m.asked
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(time.Duration(m.random.IntN(600)) * time.Millisecond):
	}
	how := []string{"promoted", "rolled back", "replaced"}[m.random.IntN(3)]
	was, allowed := m.current, []string{}
	switch how {
	case "promoted":
		v.promoted.set(time.Now())
		m.wanted = v.digest
		err := m.unbusy(func() error {
			_, err := m.client().Promote(ctx, m.name, "")
			return err
		})
		if err != nil && code(err) != "no_version" { // it has ended
			return "", err
		}
		if allowed = []string{v.digest}; err != nil {
			allowed = append(allowed, was)
		}
	case "rolled back":
		if _, err := m.back(ctx); err != nil && code(err) != "no_version" {
			return "", err
		}
		// Of a trial that has ended by then, a rollback ends nothing: it goes back.
		if allowed = []string{was}; m.previous != "" {
			allowed = append(allowed, m.previous)
		}
	case "replaced":
		next := m.foundry.fine(m.naps, m.random)
		m.want(next.digest)
		report, err := m.send(ctx, event.SwapRequest{Plugin: m.name, Module: next.bytes})
		if err != nil {
			return "", err
		}
		if report.Refused != nil {
			m.wrong.add("%s: %s, which is good, is refused beside a trial: %v", m.name, next.label, report.Refused)
		}
		allowed = []string{next.digest}
	}
	if _, err := m.over(ctx, v); err != nil {
		return "", err
	}
	m.between(v.digest, asked, mode == event.SwapShadow || how != "promoted")
	if mode == event.SwapShadow && how != "promoted" {
		m.eras = m.eras[:len(m.eras)-1]
	}
	info, err := m.info(ctx)
	if err != nil {
		return "", err
	}
	if !slices.Contains(allowed, info.Digest) {
		m.wrong.add("%s: after a %s was %s it is %s", m.name, mode, how, m.called(info.Digest))
	}
	// It may have been promoted by itself before.
	if mode == event.SwapCanary {
		m.between(v.digest, asked, false)
	}
	m.becomes(info.Digest, m.asked)
	m.previous = before(info)
	return fmt.Sprintf("%s, %s", mode, how), m.is(ctx, how)
}
