//go:build unix

package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"wasmhost/host/event"
)

func init() { parts["write"] = writeUntilKilled }

const killRuns = 6

// deadly are the options of a process that dies as JOURNAL_KILL says. "POINT:N":
// when it passes the point for the N-th time; "disk:N": before the N-th write or
// sync of a file.
func deadly() (Options, error) {
	point, count, _ := strings.Cut(os.Getenv("JOURNAL_KILL"), ":")
	n, _ := strconv.ParseInt(count, 10, 64)
	var passed atomic.Int64
	die := func() {
		if passed.Add(1) == n {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // it takes effect any moment
		}
	}
	o := Options{Durability: Durability(os.Getenv("JOURNAL_DURABILITY")), Point: func(name string) {
		if name == point {
			die()
		}
	}}
	if point == "disk" {
		if err := faulty(); err != nil {
			return o, err
		}
		o.vfs = faultyVFS
		failing(0, func(op string, _ int32) bool {
			if op != "read" {
				die()
			}
			return false
		})
	}
	return o, nil
}

// writeUntilKilled goes on with the runs that are there, and says on stdout what
// was acknowledged.
func writeUntilKilled(dir string) error {
	o, err := deadly()
	if err != nil {
		return err
	}
	ctx := context.Background()
	j, err := Open(ctx, dir, o)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for i := range killRuns {
		wg.Go(func() {
			id := fmt.Sprint("run", i)
			w, err := j.Begin(ctx, NewRun{ID: id, Workflow: "flow", Input: event.Text(id)})
			first := 1
			if errors.As(err, new(*ExistsError)) {
				var r *Run
				if w, r, err = j.Take(ctx, id); err == nil {
					first = int(r.Records) + 1
				}
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, id, err)
				os.Exit(1)
			}
			say := func(n int) { _, _ = os.Stdout.WriteString(fmt.Sprintf("%s %d\n", id, n)) }
			say(0)
			for n := first; ; n++ {
				if n%4 == 0 {
					w.Append(step(id, n), nil)
					continue
				}
				if err := append1(w, step(id, n)); err != nil {
					fmt.Fprintln(os.Stderr, id, err)
					os.Exit(1)
				}
				say(n)
			}
		})
	}
	wg.Wait()
	return nil
}

// TestKilled kills a writing process again and again, at every named point
// around a write, before single writes of the disk and at random times, and
// looks each time at what is left: everything acknowledged is there, in order,
// without gaps, and a second build of SQLite finds the file whole.
// JOURNAL_SEEDS asks for more rounds.
func TestKilled(t *testing.T) {
	seeds := 1
	if s, err := strconv.Atoi(os.Getenv("JOURNAL_SEEDS")); err == nil {
		seeds = s
	}
	for seed := range seeds {
		random := rand.New(rand.NewPCG(uint64(seed), 1))
		for _, durability := range []Durability{Full, Normal} {
			t.Run(fmt.Sprintf("%d/%s", seed, durability), func(t *testing.T) {
				dir := t.TempDir()
				acked := map[string]int{}
				kills := []string{"append", "begin", "insert", "commit", "committed", "told", "disk", "disk", "disk", "", ""}
				random.Shuffle(len(kills), func(i, j int) { kills[i], kills[j] = kills[j], kills[i] })
				for _, where := range kills {
					if where != "" {
						where = fmt.Sprintf("%s:%d", where, 1+random.IntN(60))
					}
					cmd := play("write", dir, "JOURNAL_KILL="+where, "JOURNAL_DURABILITY="+string(durability))
					killOnce(t, cmd, where == "", time.Duration(random.IntN(150))*time.Millisecond, acked)
					lookAfter(t, dir, where, acked)
				}
			})
		}
	}
}

// killOnce runs the process until it is dead and notes what it acknowledged.
func killOnce(t *testing.T, cmd *exec.Cmd, fromOutside bool, after time.Duration, acked map[string]int) {
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewReader(out)
	for first := true; ; first = false {
		line, err := lines.ReadString('\n')
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			break
		}
		id, n, _ := strings.Cut(strings.TrimSpace(line), " ")
		if last, err := strconv.Atoi(n); err == nil {
			acked[id] = max(acked[id], last)
		}
		if first && fromOutside {
			time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the writer was to be killed: %v", err)
	}
}

// leftBehind shows the second build the files as the dead process left them, before
// anybody opens them.
func leftBehind(t *testing.T, dir string) {
	t.Helper()
	left := t.TempDir()
	for _, name := range []string{fileName, fileName + "-wal"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			must(t, os.WriteFile(filepath.Join(left, name), b, 0o600))
		}
	}
	secondBuild(t, left)
}

func lookAfter(t *testing.T, dir, where string, acked map[string]int) {
	t.Helper()
	leftBehind(t, dir)
	j, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatalf("killed at %q: %v", where, err)
	}
	defer shut(t, j)
	for id, n := range acked {
		r, err := j.Run(t.Context(), id)
		if err != nil {
			t.Fatalf("killed at %q: %s, acknowledged: %v", where, id, err)
		}
		if r.Alive || r.Status != event.Running {
			t.Errorf("killed at %q: %+v", where, r)
		}
		list, err := j.Records(t.Context(), id, 0, 0)
		must(t, err)
		if len(list) < n {
			t.Fatalf("killed at %q: %s has %d records, %d were acknowledged", where, id, len(list), n)
		}
		sameRecords(t, id, list, 1, len(list))
	}
	found, err := Check(t.Context(), dir)
	must(t, err)
	for _, f := range found {
		if f.Bad {
			t.Errorf("killed at %q: %+v", where, f)
		}
	}
}
