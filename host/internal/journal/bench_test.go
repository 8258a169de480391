package journal

import (
	"context"
	"fmt"
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

	"wasmhost/host/event"
)

// These run on the disk of the working folder, which is the one that counts;
// bench/journal says which it is.
func benchDir(b *testing.B) string { return filepath.Join(b.TempDir(), "state") }

func quantiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	at := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))].Microseconds()) }
	b.ReportMetric(at(0.5), "p50-µs")
	b.ReportMetric(at(0.99), "p99-µs")
}

// rawRow is about what a record of a no-op step holds.
var rawRow = []byte(`{"v":1,"seq":7,"time":"2026-01-02T03:04:05.000000006Z","run":"01JH2Q5T8V9WXYZABCDEFGHJKM","type":"node.succeeded","workflow":"chain","node":"step7","attempt":1,"plugin":"noop","digest":"sha256:0123456789abcdef","duration_ms":0.1}`)

func benchRecord(run string, n int) Record {
	return Record{Key: "0/step7", Mark: 2, Event: &event.Event{V: 1, Seq: uint64(n), Time: time.Unix(1767323045, 6).UTC(), Run: run, Type: event.NodeSucceeded,
		Workflow: "chain", Node: "step7", Attempt: 1, Plugin: "noop", Digest: "sha256:0123456789abcdef", DurationMS: 0.1}, Output: []byte(`"out"`)}
}

// BenchmarkCommit is one synced record at a time: SQLite alone, with the same
// pragmas and a table of one column, beside the journal's Append.
func BenchmarkCommit(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		file := filepath.Join(b.TempDir(), "plain.db")
		c, err := dial(b.Context(), dsn(file, "", "journal_mode(WAL)", "synchronous(FULL)", "wal_autocheckpoint(1000)", "journal_size_limit(16777216)"))
		must(b, err)
		defer c.close()
		_, err = c.exec("CREATE TABLE rows (n INTEGER PRIMARY KEY, row BLOB)")
		must(b, err)
		var took []time.Duration
		for b.Loop() {
			start := time.Now()
			_, err := c.exec("INSERT INTO rows (row) VALUES (?)", rawRow)
			must(b, err)
			took = append(took, time.Since(start))
		}
		quantiles(b, took)
	})
	b.Run("journal", func(b *testing.B) {
		j := open(b, benchDir(b), Options{})
		w := begin(b, j, "run")
		var took []time.Duration
		n := 0
		for b.Loop() {
			n++
			start := time.Now()
			must(b, append1(w, benchRecord("run", n)))
			took = append(took, time.Since(start))
		}
		quantiles(b, took)
	})
}

// BenchmarkRuns is chains of ten steps, one after the other or 64 at once: each
// begins, waits for the record of every step's end (its beginning rides along),
// and ends.
func BenchmarkRuns(b *testing.B) {
	for _, together := range []int{1, 64} {
		b.Run(fmt.Sprint(together), func(b *testing.B) {
			var commits atomic.Int64
			j := open(b, benchDir(b), Options{Point: func(name string) {
				if name == "committed" {
					commits.Add(1)
				}
			}})
			var mu sync.Mutex
			var took []time.Duration
			var begun atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for range together {
				wg.Go(func() {
					var mine []time.Duration
					for n := begun.Add(1); n <= int64(b.N); n = begun.Add(1) {
						start := time.Now()
						if err := chain(j, fmt.Sprintf("run%09d", n)); err != nil {
							b.Error(err)
							return
						}
						mine = append(mine, time.Since(start))
					}
					mu.Lock()
					took = append(took, mine...)
					mu.Unlock()
				})
			}
			wg.Wait()
			b.ReportMetric(float64(10*len(took))/b.Elapsed().Seconds(), "steps/s")
			b.ReportMetric(float64(10*len(took))/float64(commits.Load()), "steps/commit")
			quantiles(b, took)
		})
	}
}

func chain(j *Journal, id string) error {
	w, err := j.Begin(context.Background(), NewRun{ID: id, Workflow: "chain", File: "/chain.toml", Digest: "sha256:0123456789abcdef", Input: event.Text("in")})
	for n := 0; n < 10 && err == nil; n++ {
		w.Append(benchRecord(id, 2*n), nil)
		err = append1(w, benchRecord(id, 2*n+1))
	}
	if err == nil {
		err = wait(func(done func(error)) { w.End(End{Status: event.Succeeded, Result: rawRow}, done) })
	}
	return err
}

// BenchmarkRecords reads a run of 10,000 records.
func BenchmarkRecords(b *testing.B) {
	j := open(b, benchDir(b), Options{Durability: Normal})
	w := begin(b, j, "run")
	for n := range 10_000 {
		w.Append(benchRecord("run", n), nil)
	}
	must(b, j.Flush(b.Context()))
	b.ReportAllocs()
	for b.Loop() {
		list, err := j.Records(b.Context(), "run", 0, 0)
		must(b, err)
		if len(list) != 10_000 {
			b.Fatal(len(list))
		}
	}
}

// BenchmarkMemory begins and ends many runs of three records, b.N in all, and
// tells how the memory in use grew over the second half of them.
func BenchmarkMemory(b *testing.B) {
	j := open(b, benchDir(b), Options{Durability: Normal})
	var half uint64
	inUse := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	const together = 64
	b.ResetTimer()
	for first := 0; first < b.N; first += together {
		var wg sync.WaitGroup
		for i := range min(together, b.N-first) {
			wg.Go(func() {
				id := fmt.Sprintf("run%09d", first+i)
				w, err := j.Begin(b.Context(), NewRun{ID: id, Workflow: "flow", Input: event.Text("in")})
				if err != nil {
					b.Error(err)
					return
				}
				for n := range 3 {
					w.Append(benchRecord(id, n), nil)
				}
				if err := wait(func(done func(error)) {
					w.End(End{Status: event.Succeeded, Result: []byte(`{"output":"out"}`)}, done)
				}); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
		if half == 0 && first+together >= b.N/2 {
			half = inUse()
		}
	}
	b.StopTimer()
	end := inUse()
	b.ReportMetric(float64(half)/(1<<20), "MiB-half-way")
	b.ReportMetric(float64(end)/(1<<20), "MiB-at-the-end")
	b.ReportMetric(float64(residentKiB())/1024, "MiB-resident")
}

// residentKiB is what the system says, SQLite's own memory included; 0 where it
// does not say.
func residentKiB() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(fields[0], 10, 64)
	return n
}
