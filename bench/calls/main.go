// Command calls prints what a call of a plugin costs, side by side with
// extism/go-sdk and bare wazero in one run, as ratios: for a small guest and a
// Go-built one, with clean state for each call, with a warm instance and with a
// new one. Then memory of idle instances, and how late a call ends that has to
// be stopped.
//
//	go run ./bench/calls [-rounds 5] [-time 0.3s]
//
// It runs the benchmarks of host/internal/plugin. Ratios are medians of the
// rounds; in brackets the worst and the best pair of rounds.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// line is a result of `go test -bench`.
var line = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// series are the values of one benchmark, by unit, one a round.
type series map[string][]float64

type results struct {
	names []string
	by    map[string]series
}

func main() {
	rounds := flag.Int("rounds", 5, "rounds of each benchmark")
	each := flag.String("time", "0.3s", "length of a round")
	flag.Parse()
	calls := measure("^BenchmarkCalls$", *each, *rounds)
	calls.compare()
	fmt.Println()
	measure("^BenchmarkIdle$", "1x", *rounds).table("an idle instance", "KiB/instance", "KiB-of-memory/instance")
	fmt.Println()
	measure("^BenchmarkKill$", "100x", 1).table("past the deadline", "p50-ms", "p99-ms")
	fmt.Println()
	measure("^BenchmarkPrepare$", "3x", *rounds).table("preparing a Go guest", "ns/op", "MB/s")
}

func measure(pattern, each string, rounds int) *results {
	// One round of all before the next, so that a slow minute of the machine
	// touches both sides of a ratio.
	r := &results{by: map[string]series{}}
	for range rounds {
		cmd := exec.Command("go", "test", "-run", "^$", "-bench", pattern, "-benchtime", each, "./host/internal/plugin")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			log.Fatalf("%v\n%s", err, out)
		}
		r.read(out)
	}
	return r
}

func (r *results) read(out []byte) {
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		m := line.FindStringSubmatch(s.Text())
		if m == nil {
			continue
		}
		_, name, ok := strings.Cut(m[1], "/")
		if !ok {
			name = m[1]
		}
		if r.by[name] == nil {
			r.by[name] = series{}
			r.names = append(r.names, name)
		}
		fields := strings.Fields(m[2])
		for j := 0; j+1 < len(fields); j += 2 {
			v, err := strconv.ParseFloat(fields[j], 64)
			if err != nil {
				log.Fatalf("cannot read %q: %v", s.Text(), err)
			}
			r.by[name][fields[j+1]] = append(r.by[name][fields[j+1]], v)
		}
	}
}

// compare prints each of our calls with go-sdk's warm one.
func (r *results) compare() {
	fmt.Printf("%-10s %-6s %-16s %11s %9s %7s  %s\n", "call", "guest", "who", "µs", "B", "allocs", "times faster than go-sdk's warm call with its timeout")
	for _, name := range r.names {
		parts := strings.Split(name, "/")
		s := r.by[name]
		fmt.Printf("%-10s %-6s %-16s %11.3f %9.0f %7.0f", parts[0], parts[1], who(parts[2]), median(s["ns/op"])/1e3, median(s["B/op"]), median(s["allocs/op"]))
		sdk := r.by[parts[0]+"/"+parts[1]+"/go-sdk"]["ns/op"]
		if parts[2] != "go-sdk" && len(sdk) > 0 {
			var ratios []float64
			for i, ns := range s["ns/op"] {
				ratios = append(ratios, sdk[i]/ns)
			}
			slices.Sort(ratios)
			fmt.Printf("  %8.2f  (%.2f – %.2f)", median(ratios), ratios[0], ratios[len(ratios)-1])
		}
		fmt.Println()
	}
}

func who(short string) string {
	switch short {
	case "call":
		return "ours, clean"
	case "never":
		return "ours, warm"
	case "instance":
		return "ours, new"
	}
	return short
}

func (r *results) table(title string, units ...string) {
	fmt.Printf("%-26s", title)
	for _, u := range units {
		fmt.Printf(" %24s", u)
	}
	fmt.Println()
	for _, name := range r.names {
		fmt.Printf("%-26s", name)
		for _, u := range units {
			fmt.Printf(" %24.2f", median(r.by[name][u]))
		}
		fmt.Println()
	}
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
