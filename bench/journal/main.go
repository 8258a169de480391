// Command journal prints what the journal costs on the disk of the temporary
// folder (TMPDIR): a record kept for good, side by side with the same number of
// commits of SQLite alone in one run; many runs that share commits, against one
// alone; the reading of a long run; and memory over many runs.
//
//	go run ./bench/journal [-rounds 5] [-time 1s] [-runs 100000]
//
// It runs the benchmarks of host/internal/journal. Ratios are medians of the
// rounds; in brackets the worst and the best round.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// line is a result of a benchmark.
var line = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// results are the values of each benchmark by unit, one a round.
type results map[string]map[string][]float64

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
	dir, err := os.MkdirTemp("", "bench-journal")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "journal.test")
	build := exec.Command("go", "test", "-c", "-o", binary, "./host/internal/journal")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building the benchmarks of host/internal/journal (in the top folder of the module): %w", err)
	}
	// One round of all before the next, so that a slow minute of the machine
	// touches both sides of a ratio.
	r := results{}
	for range rounds {
		if err := r.run(binary, dir, "^Benchmark(Commit|Runs|Records)$", each); err != nil {
			return err
		}
	}
	r.commits()
	r.shared()
	r.reading()
	if runs == 0 {
		return nil
	}
	if err := r.run(binary, dir, "^BenchmarkMemory$", fmt.Sprint(runs, "x")); err != nil {
		return err
	}
	m := r["Memory"]
	fmt.Printf("memory, %d runs of three records, 64 at once: %.1f MiB of Go's half way, %.1f MiB at the end; %.0f MiB resident; %.0f µs a run\n",
		runs, m["MiB-half-way"][0], m["MiB-at-the-end"][0], m["MiB-resident"][0], m["ns/op"][0]/1e3)
	return nil
}

func (r results) run(binary, dir, pattern, each string) error {
	cmd := exec.Command(binary, "-test.run", "^$", "-test.bench", pattern, "-test.benchtime", each)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		m := line.FindStringSubmatch(s.Text())
		if m == nil {
			continue
		}
		if r[m[1]] == nil {
			r[m[1]] = map[string][]float64{}
		}
		fields := strings.Fields(m[2])
		for j := 0; j+1 < len(fields); j += 2 {
			v, err := strconv.ParseFloat(fields[j], 64)
			if err != nil {
				return fmt.Errorf("cannot read %q: %w", s.Text(), err)
			}
			r[m[1]][fields[j+1]] = append(r[m[1]][fields[j+1]], v)
		}
	}
	return nil
}

func (r results) commits() {
	fmt.Printf("%-40s %10s %10s %10s\n", "one record at a time, each synced", "mean µs", "p50 µs", "p99 µs")
	for _, who := range [][2]string{{"SQLite alone", "Commit/sqlite"}, {"the journal", "Commit/journal"}} {
		b := r[who[1]]
		fmt.Printf("%-40s %10.0f %10.0f %10.0f\n", who[0], median(b["ns/op"])/1e3, median(b["p50-µs"]), median(b["p99-µs"]))
	}
	plain, ours := r["Commit/sqlite"], r["Commit/journal"]
	ratio("the journal costs times SQLite alone, mean", ours["ns/op"], plain["ns/op"])
	ratio("the journal costs times SQLite alone, p50", ours["p50-µs"], plain["p50-µs"])
}

func (r results) shared() {
	fmt.Printf("\n%-40s %10s %12s %10s %10s\n", "runs of ten steps at once", "steps/s", "steps/commit", "p50 ms", "p99 ms")
	for _, n := range []string{"1", "64"} {
		b := r["Runs/"+n]
		fmt.Printf("%-40s %10.0f %12.1f %10.1f %10.1f\n", n, median(b["steps/s"]), median(b["steps/commit"]), median(b["p50-µs"])/1e3, median(b["p99-µs"])/1e3)
	}
	ratio("64 runs make times the steps of one", r["Runs/64"]["steps/s"], r["Runs/1"]["steps/s"])
}

func (r results) reading() {
	b := r["Records"]
	fmt.Printf("\nreading a run of 10,000 records: %.0f ms, %.1f MB allocated\n", median(b["ns/op"])/1e6, median(b["B/op"])/1e6)
}

// ratio prints a over b, round by round.
func ratio(what string, a, b []float64) {
	var list []float64
	for i := range min(len(a), len(b)) {
		list = append(list, a[i]/b[i])
	}
	slices.Sort(list)
	fmt.Printf("%-45s %.2f (%.2f – %.2f)\n", what+":", median(list), list[0], list[len(list)-1])
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(list))
	return s[len(s)/2]
}
