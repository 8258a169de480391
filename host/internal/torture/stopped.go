//go:build unix

package torture

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"wasmhost/host"
	"wasmhost/host/event"
	"wasmhost/host/internal/call"
)

// ahead is a clock that has seen the lease of everybody else run out.
type ahead struct{ host.Clock }

func (ahead) Now() time.Time { return time.Now().Add(time.Minute) }

// Stopped stops a process in the middle of a call (it does not die: SIGSTOP) and
// takes its run away when the lease has run out. Awake again, while the run goes
// on elsewhere or when it has ended, the process must notice and end with an
// error, and nothing of it may reach the journal.
func Stopped(t *testing.T, open Opener) {
	for _, kind := range []string{"chain", "items", "once"} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/late=%v", kind, late), func(t *testing.T) { stopped(t, open, kind, late) })
		}
	}
}

func stopped(t *testing.T, open Opener, kind string, late bool) {
	l, end := alone(t, open, 1)
	defer end()
	ctx := t.Context()
	p := l.part
	p.Jobs = []Job{{ID: "stopped-1", Kind: kind, Seed: 1}}

	asleep := make(chan *os.Process, 1)
	type ended struct {
		life *life
		err  error
	}
	over := make(chan ended, 1)
	go func() {
		v, err := l.live(p, fate{call: 2, asleep: asleep})
		over <- ended{v, err}
	}()
	var sleeper *os.Process
	select {
	case sleeper = <-asleep:
	case e := <-over:
		t.Fatalf("it ended before it was stopped: %v", e.err)
	}
	wake := func() { _ = sleeper.Signal(syscall.SIGCONT) } // it may have ended already
	defer wake()
	number := 0 // of the call at which it wakes
	if !late {
		number = 1
	}
	q := p
	q.URL = l.server.url(l.server.life(number, false, wake))
	c := q.config()
	c.Clock = ahead{call.RealClock()}
	h, err := open(ctx, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close(context.WithoutCancel(ctx)) }()
	d := &driver{host: h, dir: p.Files, say: func(...string) {}}
	result, err := d.drive(ctx, p.Jobs[0])
	if err != nil {
		t.Fatal(err)
	}
	before, err := l.oracle.look(p.State, true)
	if err != nil {
		t.Fatal(err)
	}
	calls := l.server.count(1)
	wake() // also the one that is awake already
	e := <-over
	// Two items are in flight at once: the other one may have been on its way.
	if n := l.server.count(e.life.number); late && n > calls && (kind != "items" || n > calls+1) {
		t.Errorf("the process that lost its run made %d calls more", n-calls)
	}
	if e.err == nil || !strings.Contains(e.err.Error(), "another owner") {
		t.Errorf("the process that lost its run ended with %v", e.err)
	}
	if status := e.life.ended["stopped-1"]; status != "" {
		t.Errorf("the process that lost its run told that it is %s", status)
	}
	after, err := l.oracle.look(p.State, true)
	if err != nil {
		t.Fatal(err)
	}
	if was, is := before.runs["stopped-1"], after.runs["stopped-1"]; was.Records != is.Records || is.Status != string(event.Succeeded) {
		t.Errorf("the process that lost its run wrote: %+v, before %+v", is, was)
	}
	// What it was in the middle of may be done again, once, and it calls nothing
	// when it is awake.
	e.life.killed, e.life.after = true, &snapshot{}
	l.lives = []*life{e.life}
	l.over(p.Jobs[0], result, l.lives, after)
}
