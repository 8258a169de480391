package bench

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"wasmhost/host"
	"wasmhost/host/event"
)

// steps of a recorded run. Each is one commit, and so are its beginning and its
// end.
const (
	steps   = 10
	commits = steps + 2
)

// recording is a whole host that records its runs.
func recording(b *testing.B, d host.Durability, toml string) (*host.Host, *host.Workflow) {
	b.Helper()
	dir := b.TempDir()
	file := filepath.Join(dir, "workflow.toml")
	if err := os.WriteFile(file, []byte("version = 1\nname = \"recorded\"\n"+toml), 0o600); err != nil {
		b.Fatal(err)
	}
	h, err := host.Open(b.Context(), host.Config{CacheDir: filepath.Join(dir, "cache"), State: filepath.Join(dir, "state"), Durable: d})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	w, findings, err := h.Load(b.Context(), file)
	if err != nil {
		b.Fatal(err, findings)
	}
	return h, w
}

// noopChain is a chain of n nodes whose plugin does nothing.
func noopChain(b *testing.B, n int) string {
	var t strings.Builder
	fmt.Fprintf(&t, "[plugins.p]\nsource = %q\n", smallGuest(b))
	for i := range n {
		fmt.Fprintf(&t, "[nodes.n%d]\nplugin = \"p\"\nfunction = \"nothing\"\n", i)
		if i > 0 {
			fmt.Fprintf(&t, "needs = [\"n%d\"]\n", i-1)
		}
	}
	return t.String()
}

func runOnce(b *testing.B, h *host.Host, w *host.Workflow) {
	r, err := h.Start(b.Context(), w, host.Options{Input: event.Text("in"), HasInput: true})
	if err != nil {
		b.Error(err)
		return
	}
	if res, err := r.Wait(b.Context()); err != nil || res.Status != event.Succeeded {
		b.Errorf("%v, %+v", err, res)
	}
}

// BenchmarkDurable is a chain of ten plugins that do nothing, from submit to
// result, with every step synced to the disk; beside it as many commits of
// SQLite alone, taken in turns so that a slow minute of the disk touches both.
func BenchmarkDurable(b *testing.B) {
	h, w := recording(b, host.DurableFull, noopChain(b, steps))
	runOnce(b, h, w)
	plain := plainCommits(b)
	var ours, theirs []float64
	for b.Loop() {
		start := time.Now()
		runOnce(b, h, w)
		middle := time.Now()
		plain(commits)
		ours = append(ours, ms(middle.Sub(start)))
		theirs = append(theirs, ms(time.Since(middle)))
	}
	quantile(b, ours, "run")
	quantile(b, theirs, "sqlite")
	b.ReportMetric(sum(ours)/sum(theirs), "times-sqlite")
}

// plainCommits writes rows one commit each, with what is written for a step.
func plainCommits(b *testing.B) func(n int) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "plain.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE rows (n INTEGER PRIMARY KEY, data BLOB)"); err != nil {
		b.Fatal(err)
	}
	insert, err := db.Prepare("INSERT INTO rows (data) VALUES (?)")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { insert.Close() })
	row := make([]byte, 600)
	return func(n int) {
		for range n {
			if _, err := insert.Exec(row); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkDurableTogether is the same chain by one run after the other, and by 64
// at once that share commits.
func BenchmarkDurableTogether(b *testing.B) {
	for _, together := range []int{1, 64} {
		b.Run(fmt.Sprint(together), func(b *testing.B) {
			h, w := recording(b, host.DurableFull, noopChain(b, steps))
			runOnce(b, h, w)
			var begun atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range together {
				wg.Go(func() {
					for begun.Add(1) <= int64(b.N) {
						runOnce(b, h, w)
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(steps*b.N)/b.Elapsed().Seconds(), "steps/s")
		})
	}
}

// BenchmarkResume goes on with a run of 10,000 events: its file is checked, the
// run is taken, read and given to the engine again, until it is told that it
// goes on. (It waits for a person then, so that it can be resumed again.)
func BenchmarkResume(b *testing.B) {
	const nodes = 5000 // two events each
	var t strings.Builder
	fmt.Fprintf(&t, "[plugins.p]\nsource = %q\n[nodes.ask]\napproval = \"Well?\"\n", smallGuest(b))
	for i := range nodes {
		fmt.Fprintf(&t, "[nodes.n%d]\nplugin = \"p\"\nfunction = \"nothing\"\n", i)
	}
	h, w := recording(b, host.DurableNormal, t.String())
	r, err := h.Start(b.Context(), w, host.Options{RunID: "long"})
	if err != nil {
		b.Fatal(err)
	}
	waits(b, r)
	events, err := h.RunEvents(b.Context(), "long", 0, 0)
	if err != nil || len(events) < 2*nodes {
		b.Fatal(len(events), err)
	}
	b.ResetTimer()
	var took []float64
	for b.Loop() {
		start := time.Now()
		var on time.Time
		r, err := h.Resume(b.Context(), "long", host.Options{Sink: event.SinkFunc(func(e *event.Event) {
			if e.Type == event.RunResumed {
				on = time.Now()
			}
		})})
		if err != nil {
			b.Fatal(err)
		}
		waits(b, r)
		took = append(took, ms(on.Sub(start)))
	}
	quantile(b, took, "resume")
	b.ReportMetric(float64(len(events)), "events")
}

func waits(b *testing.B, r *host.Run) {
	if res, err := r.Wait(b.Context()); err != nil || res.Status != event.Waiting {
		b.Fatal(res, err)
	}
}

// BenchmarkDurableMemory is the heap of a host over many recorded runs.
func BenchmarkDurableMemory(b *testing.B) {
	h, w := recording(b, host.DurableNormal, noopChain(b, 1))
	var begun atomic.Int64
	var half float64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for n := begun.Add(1); n <= int64(b.N); n = begun.Add(1) {
				runOnce(b, h, w)
				if n == int64(b.N/2) {
					half = heap()
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(half, "MiB-half-way")
	b.ReportMetric(heap(), "MiB-at-the-end")
}

func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

func quantile(b *testing.B, ms []float64, name string) {
	slices.Sort(ms)
	b.ReportMetric(ms[len(ms)/2], name+"-p50-ms")
	b.ReportMetric(ms[min(len(ms)*99/100, len(ms)-1)], name+"-p99-ms")
}

func sum(all []float64) (s float64) {
	for _, v := range all {
		s += v
	}
	return s
}
