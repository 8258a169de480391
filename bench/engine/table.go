package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"wasmhost/bench/gotest"
)

// Targets, in nanoseconds a node.
const (
	engineTarget = 5_000
	nodeTarget   = 15_000
)

// graphs prints the rows SHAPE/NODES.
func graphs(w io.Writer, r *gotest.Results) {
	fmt.Fprintf(w, "%-8s %8s %9s %20s %10s %12s\n", "shape", "nodes", "ns/node", "(fastest – slowest)", "B/node", "allocs/node")
	for _, name := range r.Names {
		shape, count, _ := strings.Cut(name, "/")
		n, err := strconv.Atoi(count)
		if err != nil {
			continue
		}
		s := r.By[name]
		note := ""
		if n == 100_000 {
			note = fmt.Sprintf("  %.2f x the cost at 100", s.Median("ns/node")/r.By[shape+"/100"].Median("ns/node"))
		}
		fmt.Fprintf(w, "%-8s %8d %9.0f %20s %10.0f %12.1f%s\n", shape, n, s.Median("ns/node"), spread(s["ns/node"], 1),
			s.Median("B/op")/float64(n), s.Median("allocs/op")/float64(n), note)
	}
	middle := r.By["chain/1000"].Median("ns/node")
	fmt.Fprintf(w, "target: %d ns a node of a chain of 1,000: %s\n", engineTarget, met(middle > 0 && middle <= engineTarget))
}

// nodes prints whole nodes.
func nodes(w io.Writer, r *gotest.Results) {
	fmt.Fprintf(w, "%-46s %8s %22s  %s\n", "a whole node, 1 KiB in and out", "µs", "(fastest – slowest)", "beside go-sdk's bare warm call")
	sdk := r.By["go-sdk"]["ns/node"]
	for _, row := range []struct{ name, what string }{
		{"timeout", "with a timeout, the default"},
		{"timeout-retry-breaker", "with timeout, retries and a circuit breaker"},
		{"go-sdk", "go-sdk, the call alone"},
	} {
		s := r.By[row.name]
		ns := s.Median("ns/node")
		fmt.Fprintf(w, "%-46s %8.1f %22s", row.what, ns/1e3, spread(s["ns/node"], 1e3))
		if row.name != "go-sdk" {
			fmt.Fprintf(w, "  %.1f x as fast; target %d µs: %s", gotest.Median(gotest.Ratios(sdk, s["ns/node"])), nodeTarget/1000, met(ns > 0 && ns <= nodeTarget))
		}
		fmt.Fprintln(w)
	}
}

func spread(values []float64, unit float64) string {
	if len(values) == 0 {
		return "(not measured)"
	}
	if unit == 1 {
		return fmt.Sprintf("(%.0f – %.0f)", slices.Min(values), slices.Max(values))
	}
	return fmt.Sprintf("(%.1f – %.1f)", slices.Min(values)/unit, slices.Max(values)/unit)
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "MISSED"
}
