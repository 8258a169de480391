//go:build unix

package torture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"wasmhost/host/event"
)

type pluginInfo = event.PluginInfo

// killable are the moves in whose middle the process is killed: what may be
// current afterwards is known of each.
var killable = []string{"upload", "file", "rollback", "canary"}

// killAll kills the process in the middle of moves, and looks each time which
// versions it has when it is there again.
func (c *swaps) killAll(ctx context.Context, n int) error {
	c.load.killing = true
	for _, m := range c.movers {
		m.untorn = true
		// What lies in the file is what the next process begins with.
		what, err := m.replaceFile(ctx)
		if err != nil {
			return err
		}
		m.did(what)
	}
	return c.under(ctx, func(ctx context.Context) error {
		for i := range n {
			m := c.movers[i%len(c.movers)]
			for range m.random.IntN(3) {
				if err := m.move(ctx, killable...); err != nil {
					return err
				}
			}
			if err := c.kill(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
}

// kill makes a move and kills the process before it ends, or as soon as it has.
func (c *swaps) kill(ctx context.Context, m *mover) error {
	moved := make(chan error, 1)
	late := time.Duration(m.random.IntN(1+m.random.IntN([]int{20, 20, 400}[m.random.IntN(3)]))) * time.Millisecond // the move draws numbers, too
	go func() { moved <- m.move(ctx, killable...) }()
	var err error
	over := false
	select {
	case err = <-moved:
		over = true
	case <-time.After(late):
	}
	c.load.kills = append(c.load.kills, time.Now())
	if kill := c.serving.kill(); kill != nil {
		return kill
	}
	if !over {
		err = <-moved
	}
	if err != nil && lost(unwrapped(err)) == nil {
		return err
	}
	flight := m.wanted
	what := "killed between swaps"
	if flight != "" {
		what = "killed in a swap"
	}
	c.did(what)
	if err := c.serving.start(ctx); err != nil {
		return err
	}
	for _, one := range c.movers {
		if err := c.restarted(ctx, one); err != nil {
			return err
		}
	}
	return nil
}

// unwrapped is the error that a move met.
func unwrapped(err error) error {
	var e *event.Error
	if errors.As(err, &e) {
		return e
	}
	return err
}

// restarted looks at a plugin after a restart.
func (c *swaps) restarted(ctx context.Context, m *mover) error {
	var info *pluginInfo
	if err := m.until(ctx, "it is loaded after a restart", func(p *pluginInfo) bool { info = p; return p.Digest != "" }); err != nil {
		return err
	}
	flight := m.wanted
	// It may have been there, and answered, whatever is there now.
	if flight != "" && flight != m.current {
		m.between(flight, m.asked, false)
	}
	previous := m.previous
	switch info.Digest {
	case m.current:
	case flight:
		m.did("the swap in flight took place")
		previous = m.current
		m.becomes(info.Digest, m.asked)
	default:
		m.wrong.add("%s: after a kill it is %s; %s was acknowledged and %s in flight (file: %s, previous: %s); %s", m.name, m.called(info.Digest), m.called(m.current), m.called(flight),
			m.called(m.onFile), m.called(m.previous), c.said())
		m.becomes(info.Digest, time.Time{})
	}
	// Of a version that was chosen in place of the file's, what was before is known.
	if p := before(info); info.Digest != m.onFile && p != previous && previous != "" && flight == "" {
		m.wrong.add("%s: after a kill a rollback would go to %s, not %s; it is %s, the file's is %s", m.name, m.called(p), m.called(previous), m.called(info.Digest), m.called(m.onFile))
	}
	m.previous, m.wanted = before(info), ""
	return nil
}

// said is what the process before the present one said last.
func (c *swaps) said() string {
	text, _ := os.ReadFile(fmt.Sprintf("%s.log%d", c.serving.state, c.serving.starts-1))
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return "it said last: " + lines[len(lines)-1]
}
