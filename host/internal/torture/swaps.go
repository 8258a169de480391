//go:build unix

package torture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// swaps is a campaign of swaps in a server that works. Nothing is believed that
// was only reported: plugins leave a trace of every call themselves.
type swaps struct {
	serving  *serving
	foundry  *foundry
	subjects []*subject
	movers   []*mover
	load     *load
	wrong    *wrongs
	calls    string // the file of the traces
	rate     float64

	mu   sync.Mutex
	done map[string]int
	// Found by check: lines in the file, calls that canaries failed and others
	// answered, calls repeated after a kill, nodes that a person answered for.
	lines, repeated, again, approved int
	canaries                         map[*module]int
}

// Swaps swaps the plugins of a real server, in every way and with modules of every
// kind, while runs are started steadily; then it kills the server in the middle of
// swaps and starts it again. guests is the folder of the guests of other tests.
// SWAPS_COUNT is how many swaps (12), SWAPS_RATE how many calls a second (60),
// SWAPS_SEED the seed (the number of the day's second), SWAPS_KILLS how many kills
// (one for 20 swaps, one at least).
func Swaps(t *testing.T, guests string) {
	count, seed := number("SWAPS_COUNT", 12), uint64(number("SWAPS_SEED", int(time.Now().Unix()%86400)))
	kills := number("SWAPS_KILLS", max(1, count/20))
	c, end := newSwaps(t, guests, seed, float64(number("SWAPS_RATE", 60)))
	defer end()
	ctx := t.Context()
	if err := c.serving.start(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.serving.kill() }()

	began := time.Now()
	// Some of everything, before it is measured for the first time.
	parts := []int{count / 4, count - count/4}
	var held []usage
	for _, n := range parts {
		if err := c.swapAll(ctx, n); err != nil {
			t.Fatalf("seed %d: %v; see %s", seed, err, c.serving.logFile())
		}
		u, err := c.serving.settled(ctx, time.Duration(min(10, 2+count/50))*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, u)
	}
	calls, working := c.load.calls, c.load.working
	t.Logf("seed %d: %d swaps in %v, under %d calls of %d runs, %.0f a second (%d starts held back):\n%s", seed, count, time.Since(began).Round(time.Second),
		calls, len(c.load.runs), float64(calls)/working.Seconds(), c.load.held, c.counted())
	t.Logf("after a quarter: %s\n      at the end: %s", held[0], held[1])
	c.flat(held[0], held[1])
	clear(c.done)
	if kills > 0 {
		if err := c.killAll(ctx, kills); err != nil {
			t.Fatalf("seed %d: %v; see %s", seed, err, c.serving.logFile())
		}
		t.Logf("%d kills: %d runs more, %d starts repeated\n%s", kills, len(c.load.runs)-calls*len(shapes)/c.perRound(), c.load.late, c.counted())
	}
	if err := c.serving.stop(); err != nil {
		c.wrong.add("%v", err)
	}
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	onTrial := 0
	for _, n := range c.canaries {
		onTrial += n
	}
	t.Logf("%d traces of %d runs; %d calls failed on a canary and were answered by the version before; %d calls repeated after kills, %d answered for by a person",
		c.lines, len(c.load.runs), c.repeated, c.again, c.approved)
	for i, w := range c.wrong.list {
		if i == 50 {
			t.Errorf("and %d more", len(c.wrong.list)-i)
			break
		}
		t.Error(w)
	}
	t.Logf("%d violations", len(c.wrong.list))
}

// perRound is how many calls one run of every workflow makes.
func (c *swaps) perRound() int {
	n := 0
	for _, s := range shapes {
		n += s.calls
	}
	return n
}

// newSwaps makes a folder with workflows and first versions, and the command.
func newSwaps(t *testing.T, guests string, seed uint64, rate float64) (*swaps, func()) {
	t.Helper()
	dir, err := os.MkdirTemp("", "swaps")
	if err != nil {
		t.Fatal(err)
	}
	c := &swaps{wrong: &wrongs{}, done: map[string]int{}, rate: rate, calls: filepath.Join(dir, "calls", "calls")}
	end := func() {
		if t.Failed() {
			t.Logf("everything is kept in %s", dir)
			return
		}
		_ = os.RemoveAll(dir)
	}
	c.serving = &serving{binary: filepath.Join(dir, "host"), state: filepath.Join(dir, "state"), files: dir}
	c.load = &load{serving: c.serving, wrong: c.wrong}
	c.foundry, err = newFoundry(guests)
	if err = errors.Join(err, os.Mkdir(filepath.Dir(c.calls), 0o700), c.serving.build(t.Context())); err != nil {
		t.Fatal(err)
	}
	for i, s := range shapes {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		sub := &subject{workflow: s.name, name: s.name + ".witness", file: filepath.Join(dir, s.name+".wasm"), naps: s.name == "naps"}
		first := c.foundry.fine(sub.naps, random)
		sub.current, sub.onFile, sub.eras = first.digest, first.digest, []era{{digest: first.digest}}
		text, err := fs.ReadFile(swapsData, path.Join("testdata/swaps", s.name+".toml"))
		if err = errors.Join(err, os.WriteFile(sub.file, first.bytes, 0o600), os.WriteFile(filepath.Join(dir, s.name+".toml"), text, 0o600)); err != nil {
			t.Fatal(err)
		}
		c.subjects = append(c.subjects, sub)
		c.movers = append(c.movers, &mover{subject: sub, serving: c.serving, foundry: c.foundry, random: random, wrong: c.wrong, did: c.did})
	}
	return c, end
}

func (c *swaps) did(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done[what]++
}

func (c *swaps) counted() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(c.done)) {
		fmt.Fprintf(&b, "%7d  %s\n", c.done[what], what)
	}
	return b.String()
}

// under does something while runs are started, and waits until all have ended.
func (c *swaps) under(ctx context.Context, do func(context.Context) error) error {
	working, stop := context.WithCancel(ctx)
	reading, stopReading := context.WithCancel(ctx)
	var both sync.WaitGroup
	both.Go(func() { c.load.drive(working, c.rate) })
	var read sync.WaitGroup
	read.Go(func() { c.load.read(reading) })
	err := do(ctx)
	stop()
	both.Wait()
	stopReading()
	read.Wait()
	c.load.drain(ctx)
	return err
}

// swapAll makes n moves, of all plugins side by side.
func (c *swaps) swapAll(ctx context.Context, n int) error {
	var left atomic.Int64
	left.Store(int64(n))
	return c.under(ctx, func(ctx context.Context) error {
		var wg sync.WaitGroup
		errs := make([]error, len(c.movers))
		for i, m := range c.movers {
			wg.Go(func() {
				// A plugin is read when it is needed first.
				if errs[i] = m.until(ctx, "it is loaded", func(p *pluginInfo) bool { return p.Digest != "" }); errs[i] != nil {
					return
				}
				for left.Add(-1) >= 0 && errs[i] == nil {
					errs[i] = m.move(ctx)
				}
			})
		}
		wg.Wait()
		return errors.Join(errs...)
	})
}

// flat compares what the process held after a quarter with what it holds at the
// end. Four times as much of anything that is not given back would be seen.
func (c *swaps) flat(quarter, end usage) {
	for _, one := range []struct {
		what          string
		quarter, most int
		end           int
	}{
		{"KiB resident", quarter.resident, quarter.resident*5/4 + 24<<10, end.resident},
		{"descriptors", quarter.descriptors, quarter.descriptors + 8, end.descriptors},
		// The runtime keeps as many as ever waited for the disk at once.
		{"threads", quarter.threads, quarter.threads + 24, end.threads},
		{"goroutines", quarter.goroutines, quarter.goroutines + 8, end.goroutines},
	} {
		if one.end > one.most {
			c.wrong.add("the server grows: %d %s after a quarter of the swaps, %d at the end", one.quarter, one.what, one.end)
		}
	}
}
