// Command journal prints what recording costs on the disk of the temporary
// folder (TMPDIR). First the journal alone: a record kept for good, side by side
// with the same number of commits of SQLite alone in one run; many runs that
// share commits, against one alone; the reading of a long run. Then the whole
// host: a chain of ten plugins that do nothing, every step synced, from submit
// to result; 64 such runs at once; a resume. Last, memory over many runs.
//
//	go run ./bench/journal [-rounds 5] [-time 1s] [-runs 100000]
//
// It runs the benchmarks of host/internal/journal and host/internal/bench.
// Ratios are medians of the rounds; in brackets the worst and the best round.
package main

import (
	"flag"
	"fmt"
	"log"

	"wasmhost/bench/gotest"
)

func main() {
	rounds := flag.Int("rounds", 5, "rounds of each benchmark")
	each := flag.String("time", "1s", "length of a round")
	runs := flag.Int("runs", 100_000, "runs begun and ended while memory is watched; 0: none")
	flag.Parse()
	if err := measure(*rounds, *each, *runs); err != nil {
		log.Fatal(err)
	}
}

func measure(rounds int, each string, runs int) error {
	alone, err := gotest.Benchmarks{Package: "./host/internal/journal", Run: "^Benchmark(Commit|Runs|Records)$", Time: each, Rounds: rounds}.Results()
	if err != nil {
		return err
	}
	commits(alone)
	shared(alone)
	fmt.Printf("reading a run of 10,000 records: %.0f ms, %.1f MB allocated\n\n", alone.By["Records"].Median("ns/op")/1e6, alone.By["Records"].Median("B/op")/1e6)

	whole, err := gotest.Benchmarks{Package: "./host/internal/bench", Run: "^Benchmark(Durable|DurableTogether|Resume)$", Time: each, Rounds: rounds}.Results()
	if err != nil {
		return err
	}
	chains(whole)
	if runs == 0 {
		return nil
	}
	for _, m := range []struct{ what, in, run string }{
		{"the journal", "./host/internal/journal", "Memory"},
		{"the whole host", "./host/internal/bench", "DurableMemory"},
	} {
		r, err := gotest.Benchmarks{Package: m.in, Run: "^Benchmark" + m.run + "$", Time: fmt.Sprint(runs, "x")}.Results()
		if err != nil {
			return err
		}
		b := r.By[m.run]
		fmt.Printf("memory of Go's over %d runs, %-15s %.1f MiB half way, %.1f MiB at the end; %.0f µs a run\n",
			runs, m.what+":", b.Median("MiB-half-way"), b.Median("MiB-at-the-end"), b.Median("ns/op")/1e3)
	}
	return nil
}

func commits(r *gotest.Results) {
	fmt.Printf("%-40s %10s %10s %10s\n", "one record at a time, each synced", "mean µs", "p50 µs", "p99 µs")
	for _, who := range [][2]string{{"SQLite alone", "sqlite"}, {"the journal", "journal"}} {
		b := r.By[who[1]]
		fmt.Printf("%-40s %10.0f %10.0f %10.0f\n", who[0], b.Median("ns/op")/1e3, b.Median("p50-µs"), b.Median("p99-µs"))
	}
	plain, ours := r.By["sqlite"], r.By["journal"]
	ratio("the journal, times SQLite alone, mean", ours["ns/op"], plain["ns/op"], "")
	ratio("the same, p50", ours["p50-µs"], plain["p50-µs"], "")
}

func shared(r *gotest.Results) {
	fmt.Printf("\n%-40s %10s %12s %10s %10s\n", "runs of ten steps at once, no plugins", "steps/s", "steps/commit", "p50 ms", "p99 ms")
	for _, n := range []string{"1", "64"} {
		b := r.By[n]
		fmt.Printf("%-40s %10.0f %12.1f %10.1f %10.1f\n", n, b.Median("steps/s"), b.Median("steps/commit"), b.Median("p50-µs")/1e3, b.Median("p99-µs")/1e3)
	}
	ratio("64 runs, times the steps of one", r.By["64"]["steps/s"], r.By["1"]["steps/s"], "")
}

func chains(r *gotest.Results) {
	d := r.By["Durable"]
	fmt.Printf("%-40s %10s %10s\n", "ten plugins in a chain, every step synced", "p50 ms", "p99 ms")
	fmt.Printf("%-40s %10.1f %10.1f\n", "the host, submit to result", d.Median("run-p50-ms"), d.Median("run-p99-ms"))
	fmt.Printf("%-40s %10.1f %10.1f\n", "as many commits of SQLite alone (12)", d.Median("sqlite-p50-ms"), d.Median("sqlite-p99-ms"))
	ratio("the host, times SQLite alone, p50", d["run-p50-ms"], d["sqlite-p50-ms"], "target 1.3 at most")
	fmt.Printf("\nsteps a second: %.0f by one run after the other, %.0f by 64 at once\n", r.By["1"].Median("steps/s"), r.By["64"].Median("steps/s"))
	ratio("64 runs, times the steps of one", r.By["64"]["steps/s"], r.By["1"]["steps/s"], "target 10 at least")
	b := r.By["Resume"]
	fmt.Printf("\na resume of a run of %.0f events: p50 %.0f ms, p99 %.0f ms; target 200 ms\n\n", b.Median("events"), b.Median("resume-p50-ms"), b.Median("resume-p99-ms"))
}

// ratio prints a over b, round by round.
func ratio(what string, a, b []float64, target string) {
	all := gotest.Ratios(a, b)
	if len(all) == 0 {
		return
	}
	fmt.Printf("%-45s %.2f (%.2f – %.2f)  %s\n", what+":", gotest.Median(all), all[0], all[len(all)-1], target)
}
