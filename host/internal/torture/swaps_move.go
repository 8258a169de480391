//go:build unix

package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
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
