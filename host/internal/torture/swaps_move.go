//go:build unix

package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"wasmhost/host"
	"wasmhost/host/event"
)

// mover moves one plugin among versions, and checks what it is told of that.
type mover struct {
	*subject
	serving *serving
	foundry *foundry
	random  *rand.Rand
	wrong   *wrongs
	did     func(what string)
	// untorn: files are put in place as a whole, for the process may read them at
	// any time.
	untorn bool
	queue  []string // of bad kinds, so that each has its turn
}

// patience is for what must happen by itself.
const patience = time.Minute

// moves are what a mover does, and how often.
var moves = []struct {
	name  string
	often int
	do    func(*mover, context.Context) (string, error)
}{
	{"upload", 28, (*mover).upload},
	{"file", 14, (*mover).replaceFile},
	{"rollback", 14, (*mover).rollback},
	{"canary", 9, (*mover).goodCanary},
	{"sick canary", 7, (*mover).sickCanary},
	{"shadow", 5, (*mover).shadow},
	{"cut short", 5, (*mover).cutShort},
	{"two at once", 4, (*mover).together},
	{"bad upload", 11, (*mover).badUpload},
	{"bad file", 3, (*mover).badFile},
}

// move draws a move among those with one of the names, or all, and makes it.
func (m *mover) move(ctx context.Context, names ...string) error {
	total := 0
	for _, one := range moves {
		if len(names) == 0 || slices.Contains(names, one.name) {
			total += one.often
		}
	}
	at := m.random.IntN(total)
	for _, one := range moves {
		if len(names) > 0 && !slices.Contains(names, one.name) {
			continue
		}
		if at -= one.often; at >= 0 {
			continue
		}
		what, err := one.do(m, ctx)
		if err != nil {
			return fmt.Errorf("%s of %s: %w", one.name, m.name, err)
		}
		m.did(what)
		break
	}
	return nil
}

func (m *mover) client() *host.Client { return m.serving.client.Load() }

// want says what may be current if the process dies now.
func (m *mover) want(digest string) { m.wanted, m.asked = digest, time.Now() }

func (m *mover) info(ctx context.Context) (*event.PluginInfo, error) {
	return m.client().Plugin(ctx, m.name)
}

// is checks which version is current, and which was before.
func (m *mover) is(ctx context.Context, after string) error {
	info, err := m.info(ctx)
	if err != nil {
		return err
	}
	if info.Digest != m.current {
		m.wrong.add("%s: after %s it is %s, not %s", m.name, after, m.called(info.Digest), m.called(m.current))
		m.becomes(info.Digest, m.asked)
	}
	if p := before(info); m.previous != "" && p != m.previous {
		m.wrong.add("%s: after %s a rollback would go to %s, not %s", m.name, after, m.called(p), m.called(m.previous))
		m.previous = p
	}
	m.wanted = ""
	return nil
}

// before is what a rollback goes back to: that version may still have calls.
func before(info *event.PluginInfo) string {
	digest := ""
	for _, v := range info.Versions {
		if v.State == event.VersionPrevious || v.State == event.VersionDraining && digest == "" {
			digest = v.Digest
		}
	}
	return digest
}

func (m *mover) called(digest string) string {
	if v := m.foundry.of(digest); v != nil {
		return v.label
	}
	if digest == "" {
		return "none"
	}
	return "the unknown " + digest
}

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

// until asks until something is so.
func (m *mover) until(ctx context.Context, what string, so func(*event.PluginInfo) bool) error {
	for began := time.Now(); time.Since(began) < patience; {
		info, err := m.info(ctx)
		if err != nil {
			return err
		}
		if so(info) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("after %v it is not yet so that %s", patience, what)
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

// lost is err when nobody answered.
func lost(err error) error {
	if code(err) == "unreachable" || errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

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

// send asks for a swap, again while another one is under way: that of a file is
// seen before its turn is over.
func (m *mover) send(ctx context.Context, r event.SwapRequest) (report *event.SwapReport, err error) {
	err = m.unbusy(func() error {
		report, err = m.client().Swap(ctx, r)
		return err
	})
	return report, err
}

// back asks for a rollback in the same way.
func (m *mover) back(ctx context.Context) (info *event.PluginInfo, err error) {
	err = m.unbusy(func() error {
		info, err = m.client().Rollback(ctx, m.name, "")
		return err
	})
	return info, err
}

func (m *mover) unbusy(ask func() error) error {
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if err := ask(); code(err) != "busy" || time.Since(began) > 10*time.Second {
			return err
		}
	}
}
