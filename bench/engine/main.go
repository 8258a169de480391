// Command engine prints what the engine and the default policies cost per node,
// with plugins that do nothing and no WebAssembly: time, memory and allocations
// for a chain and a fan-out of 10 to 100,000 nodes.
//
//	go run ./bench/engine [-rounds 5]
//
// It runs the benchmark of host/internal/bench and puts its figures side by
// side: the median of the rounds, with the fastest and the slowest.
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

// line is a result of `go test -bench -benchmem`.
var line = regexp.MustCompile(`^BenchmarkEngine/(\S+)/(\d+)-\d+\s+\d+\s+(.*)$`)

type row struct {
	shape         string
	nodes         int
	ns            []float64 // per node
	bytes, allocs float64   // per node
}

func main() {
	rounds := flag.Int("rounds", 5, "rounds of each size")
	flag.Parse()
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", "^BenchmarkEngine$", "-benchtime", "0.5s", "-count", strconv.Itoa(*rounds), "./host/internal/bench")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		log.Fatalf("%v\n%s", err, out)
	}
	rows := read(out)
	fmt.Printf("%-8s %8s %9s %20s %10s %12s\n", "shape", "nodes", "ns/node", "(fastest – slowest)", "B/node", "allocs/node")
	at100 := map[string]float64{}
	for _, r := range rows {
		median := r.ns[len(r.ns)/2]
		if r.nodes == 100 {
			at100[r.shape] = median
		}
		note := ""
		if r.nodes == 100_000 {
			note = fmt.Sprintf("  %.2f x the cost at 100", median/at100[r.shape])
		}
		fmt.Printf("%-8s %8d %9.0f %20s %10.0f %12.1f%s\n", r.shape, r.nodes, median,
			fmt.Sprintf("(%.0f – %.0f)", r.ns[0], r.ns[len(r.ns)-1]), r.bytes, r.allocs, note)
	}
}

func read(out []byte) []*row {
	var rows []*row
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		m := line.FindStringSubmatch(s.Text())
		if m == nil {
			continue
		}
		nodes, _ := strconv.Atoi(m[2])
		i := slices.IndexFunc(rows, func(r *row) bool { return r.shape == m[1] && r.nodes == nodes })
		if i < 0 {
			i = len(rows)
			rows = append(rows, &row{shape: m[1], nodes: nodes})
		}
		r := rows[i]
		fields := strings.Fields(m[3])
		for j := 0; j+1 < len(fields); j += 2 {
			v, err := strconv.ParseFloat(fields[j], 64)
			if err != nil {
				log.Fatalf("cannot read %q: %v", s.Text(), err)
			}
			switch fields[j+1] {
			case "ns/node":
				r.ns = append(r.ns, v)
			case "B/op":
				r.bytes = v / float64(nodes)
			case "allocs/op":
				r.allocs = v / float64(nodes)
			}
		}
	}
	for _, r := range rows {
		slices.Sort(r.ns)
	}
	return rows
}
