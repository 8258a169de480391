//go:build unix

package torture

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"wasmhost/host/event"
)

func (m *mover) swap(ctx context.Context, v *module, mode event.SwapMode, good int) error {
	report, err := m.send(ctx, event.SwapRequest{Plugin: m.name, Module: v.bytes, Mode: mode, Good: good})
	if err != nil {
		return err
	}
	if report.Refused != nil {
		m.wrong.add("%s: %s, which is good, is refused: %v", m.name, v.label, report.Refused)
		return nil
	}
	if report.To != v.digest || report.From != m.current {
		m.wrong.add("%s: the report of %s is from %s to %s, not from %s", m.name, v.label, m.called(report.From), m.called(report.To), m.called(m.current))
	}
	return nil
}

func (m *mover) upload(ctx context.Context) (string, error) {
	v := m.foundry.fine(m.naps, m.random)
	m.want(v.digest)
	if err := m.swap(ctx, v, event.SwapNow, 0); err != nil {
		return "", err
	}
	m.becomes(v.digest, m.asked)
	return "upload", m.is(ctx, "an upload")
}

// write puts bytes where the plugin is read from.
func (m *mover) write(bytes []byte) error {
	if !m.untorn && m.random.IntN(3) == 0 {
		return os.WriteFile(m.file, bytes, 0o600) // in place
	}
	next := m.file + ".next"
	if err := os.WriteFile(next, bytes, 0o600); err != nil {
		return err
	}
	return os.Rename(next, m.file)
}

func (m *mover) replaceFile(ctx context.Context) (string, error) {
	v := m.foundry.fine(m.naps, m.random)
	m.want(v.digest)
	if err := m.write(v.bytes); err != nil {
		return "", err
	}
	m.onFile = v.digest
	err := m.until(ctx, "the file's new version is current", func(info *event.PluginInfo) bool { return info.Digest == v.digest })
	if err != nil {
		return "", err
	}
	m.becomes(v.digest, m.asked)
	return "file", m.is(ctx, "a change of its file")
}

func (m *mover) rollback(ctx context.Context) (string, error) {
	to := m.previous
	m.want(to)
	info, err := m.back(ctx)
	if to == "" {
		if code(err) != "no_version" {
			m.wrong.add("%s: a rollback to nothing gave %v", m.name, err)
		}
		if err == nil {
			m.becomes(info.Digest, m.asked)
		}
		m.wanted = ""
		return "rollback to nothing", lost(err)
	}
	if err != nil {
		return "", err
	}
	m.becomes(to, m.asked)
	return "rollback", m.is(ctx, "a rollback")
}

// together sends two at the same time: one of them may find the other under way.
func (m *mover) together(ctx context.Context) (string, error) {
	m.asked = time.Now()
	var wg sync.WaitGroup
	var all [2]*module
	var errs [2]error
	for i := range all {
		all[i] = m.foundry.fine(m.naps, m.random)
		wg.Go(func() {
			_, errs[i] = m.client().Swap(ctx, event.SwapRequest{Plugin: m.name, Module: all[i].bytes})
		})
	}
	wg.Wait()
	in := 0
	for i, v := range all {
		switch {
		case errs[i] == nil:
			in++
			m.between(v.digest, m.asked, false)
		case code(errs[i]) != "busy":
			return "", errs[i]
		}
	}
	if in == 0 { // that of the file, before these, was still under way
		return "two at once, none of them in", m.is(ctx, "two swaps that were refused")
	}
	info, err := m.info(ctx)
	if err != nil {
		return "", err
	}
	if i := slices.IndexFunc(all[:], func(v *module) bool { return v.digest == info.Digest }); i < 0 || errs[i] != nil {
		m.wrong.add("%s: after two swaps at once it is %s", m.name, m.called(info.Digest))
	}
	m.becomes(info.Digest, m.asked)
	m.previous = before(info)
	return fmt.Sprintf("two at once, %d of them in", in), m.is(ctx, "two swaps at once")
}
