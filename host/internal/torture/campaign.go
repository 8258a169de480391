//go:build unix

package torture

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wasmhost/host"
	"wasmhost/host/event"
)

// Counts are what a campaign did.
type Counts struct {
	mu    sync.Mutex
	Kills map[string]int // by how
	// Survived processes had done their jobs before they would have died.
	Survived, Runs, Parked, Extra, Violations int
}

func (c *Counts) add(n *int, more int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*n += more
}

func (c *Counts) String() string {
	var b strings.Builder
	kills := 0
	for _, n := range c.Kills {
		kills += n
	}
	fmt.Fprintf(&b, "%d kills, %d processes that were done before; %d runs, all ended; %d calls more than without kills; %d times a run waited for a person after a kill; %d violations",
		kills, c.Survived, c.Runs, c.Extra, c.Parked, c.Violations)
	for _, how := range slices.Sorted(maps.Keys(c.Kills)) {
		fmt.Fprintf(&b, "\n%7d  %s", c.Kills[how], how)
	}
	return b.String()
}

// number reads a number from the environment.
func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// Kills kills processes at work, again and again, and checks each time what is
// left behind, and at last how the runs end. TORTURE_CYCLES is how many times
// (25), TORTURE_SEED the seed (the number of the day's second), TORTURE_LANES
// how many at once.
func Kills(t *testing.T, open Opener) {
	seed := uint64(number("TORTURE_SEED", int(time.Now().Unix()%86400)))
	lanes := number("TORTURE_LANES", max(2, runtime.GOMAXPROCS(0)))
	var left atomic.Int64
	left.Store(int64(number("TORTURE_CYCLES", 25)))
	counts := &Counts{Kills: map[string]int{}}
	all := newSweep()
	server := newServer()
	defer server.Close()
	cache := t.TempDir()
	began := time.Now()
	var wg sync.WaitGroup
	for i := range lanes {
		wg.Go(func() {
			l := &lane{t: t, open: open, server: server, cache: cache, counts: counts, left: &left, sweep: all,
				seed: seed, name: fmt.Sprintf("lane%d", i), random: rand.New(rand.NewPCG(seed, uint64(i))), counted: map[string]int{}}
			for left.Load() > 0 && !t.Failed() {
				if err := l.folder(t.Context()); err != nil {
					l.wrong("", "%v", err)
				}
			}
		})
	}
	wg.Wait()
	over, points := all.over()
	what := "so far"
	if over {
		what = "which is every one"
	}
	t.Logf("seed %d, %s: %s\n%7d  of them in order: every kind of workflow at the n-th passing of every point, %s",
		seed, time.Since(began).Round(time.Second), counts, points, what)
}

// lane is one series of kills, in one state folder after the other.
type lane struct {
	t      *testing.T
	open   Opener
	server *server
	oracle *oracle
	cache  string
	counts *Counts
	left   *atomic.Int64
	sweep  *sweep
	seed   uint64
	name   string
	random *rand.Rand

	part    part
	jobs    int
	counted map[string]int // calls of what is done, by idempotency key
	lives   []*life        // of the present jobs
	bad     bool
}

// history is what became of the present jobs' processes.
func (l *lane) history() string {
	var words []string
	for _, v := range l.lives {
		words = append(words, fmt.Sprintf("%s %d", v.fate, v.fate.n+v.fate.call))
	}
	return fmt.Sprintf("%s (%s), killed at [%s]", l.part.State, l.part.Durable, strings.Join(words, ", "))
}

// perFolder is how many groups of jobs share a state folder.
const perFolder = 15

// folder is a series of kills in a fresh state folder.
func (l *lane) folder(ctx context.Context) error {
	end, err := l.enter()
	if err != nil {
		if errors.Is(err, errNoTool) && os.Getenv("CI") == "" {
			l.left.Store(0)
			l.t.Skip("NOT TESTED: ", err)
		}
		return err
	}
	defer end()
	if l.random.IntN(4) == 0 {
		l.part.Durable = host.DurableFull
	}
	// In some folders this process has the journal open all the time.
	var attached *host.Host
	if l.random.IntN(3) == 0 {
		if attached, err = l.attach(ctx); err != nil {
			return err
		}
		defer func() { _ = attached.Close(context.Background()) }()
	}
	for n := 0; n < perFolder && l.left.Load() > 0 && !l.bad; n++ {
		if err := l.group(ctx, attached); err != nil {
			return err
		}
	}
	return nil
}

// enter makes a fresh state folder and somebody who looks at it. The folder is
// kept when something is wrong.
func (l *lane) enter() (end func(), err error) {
	dir, err := os.MkdirTemp("", "torture")
	if err != nil {
		return nil, err
	}
	if err := unpack(dir); err != nil {
		return nil, err
	}
	if l.oracle, err = newOracle(dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	l.part = part{State: filepath.Join(dir, "state"), Cache: l.cache, Files: dir, Durable: host.DurableNormal}
	return func() {
		_ = l.oracle.close()
		if l.bad || l.t.Failed() {
			l.t.Logf("the state is kept in %s", dir)
			return
		}
		_ = os.RemoveAll(dir)
	}, nil
}

// alone is a lane of a test that is no campaign.
func alone(t *testing.T, open Opener, seed uint64) (l *lane, end func()) {
	t.Helper()
	l = &lane{t: t, open: open, server: newServer(), cache: t.TempDir(), counts: &Counts{Kills: map[string]int{}},
		seed: seed, random: rand.New(rand.NewPCG(seed, 0)), counted: map[string]int{}}
	leave, err := l.enter()
	if err != nil {
		l.server.Close()
		if errors.Is(err, errNoTool) && os.Getenv("CI") == "" {
			t.Skip("NOT TESTED: ", err)
		}
		t.Fatal(err)
	}
	return l, func() { leave(); l.server.Close() }
}

// attach opens the journal in this process.
func (l *lane) attach(ctx context.Context) (*host.Host, error) {
	p := l.part
	p.URL = l.server.url(l.server.life(0, false, nil))
	return l.open(ctx, p.config(), nil)
}

// group draws some jobs, and kills whoever works on them a few times.
func (l *lane) group(ctx context.Context, attached *host.Host) error {
	p := l.part
	// Half of the groups go on with the sweep: one run, and the next point of its.
	var step *step
	if l.random.IntN(2) == 0 {
		step = l.sweep.next()
	}
	jobs := 1 + l.random.IntN(3)
	if step != nil {
		jobs = 1
	}
	for range jobs {
		l.jobs++
		j := Job{ID: fmt.Sprintf("%s-%06d", l.name, l.jobs), Kind: Kinds[l.random.IntN(len(Kinds))].Name, Seed: l.random.Uint64()}
		if step != nil {
			j.Kind = step.kind
		}
		p.Jobs = append(p.Jobs, j)
	}
	l.lives = nil
	before, err := l.oracle.look(p.State, attached != nil)
	if err != nil {
		return err
	}
	for more := true; more; more = l.random.IntN(2) == 0 {
		f := chance(l.random, len(p.Jobs))
		if step != nil && len(l.lives) == 0 {
			f = step.fate
		}
		v, err := l.live(p, f)
		if step != nil && len(l.lives) == 0 {
			l.sweep.tell(step, v != nil && v.killed)
		}
		if v != nil {
			l.lives = append(l.lives, v)
		}
		if err != nil {
			return err
		}
		if v.after, err = l.oracle.look(p.State, attached != nil); err != nil {
			return fmt.Errorf("after a kill at %s: %w", f, err)
		}
		l.left.Add(-1)
		l.leftBehind(p.Jobs, v, before)
		before = v.after
		if !v.killed {
			l.counts.add(&l.counts.Survived, 1)
			l.left.Add(1)
			break
		}
		l.counts.mu.Lock()
		l.counts.Kills[f.String()]++
		l.counts.mu.Unlock()
	}
	return l.finish(ctx, p, attached)
}

// finish brings the jobs to their end in a process that nobody kills, and checks
// how they ended.
func (l *lane) finish(ctx context.Context, p part, attached *host.Host) error {
	results, err := l.results(ctx, p, attached)
	if err != nil {
		return err
	}
	end, err := l.oracle.look(p.State, attached != nil)
	if err != nil {
		return fmt.Errorf("at the end: %w", err)
	}
	for _, j := range p.Jobs {
		l.over(j, results[j.ID], l.lives, end)
	}
	l.counts.add(&l.counts.Runs, len(p.Jobs))
	return nil
}

// results ends the jobs in this process or in another one.
func (l *lane) results(ctx context.Context, p part, h *host.Host) (map[string]*event.Result, error) {
	if h == nil && l.random.IntN(2) == 0 {
		v, err := l.live(p, fate{})
		if err != nil {
			return nil, fmt.Errorf("at the end: %w", err)
		}
		return v.results, nil
	}
	if h == nil {
		var err error
		if h, err = l.attach(ctx); err != nil {
			return nil, err
		}
		defer func() { _ = h.Close(context.WithoutCancel(ctx)) }()
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	d := &driver{host: h, dir: p.Files, say: func(...string) {}}
	results := map[string]*event.Result{}
	for _, j := range p.Jobs {
		r, err := d.drive(ctx, j)
		if err != nil {
			return nil, fmt.Errorf("at the end: run %s (%s): %w", j.ID, j.Kind, err)
		}
		results[j.ID] = r
	}
	return results, nil
}
