package main

import (
	"fmt"
	"io"
	"strings"

	"wasmhost/bench/gotest"
)

// faster are the targets of calls: how many times as fast as go-sdk's warm call.
var faster = map[string]float64{
	"nothing/small/never":  50,
	"echo-1K/small/never":  30,
	"echo-1K/go/never":     15,
	"echo-64K/small/never": 20,
	"echo-64K/go/never":    10,
	"echo-1K/small/call":   10,
	"echo-1K/go/call":      1.2,
}

// What a call that does nothing may allocate.
const (
	nothingBytes  = 512
	nothingAllocs = 4
)

// KiB that an idle instance may hold: the small guest besides its own memory,
// the Go-built one in all.
const (
	idleSmall = 64
	idleGo    = 1024
)

// Milliseconds past the deadline, in 99 of 100 calls, on a machine that does
// nothing else.
const latest = 10

// What may be done before a Go-built guest of 2 to 4 MB can be compiled.
const (
	prepareMS       = 150.0
	prepareCachedMS = 5.0
	prepareMemory   = 10.0 // sizes of the module
)

// calls prints each of our calls with go-sdk's warm one.
func calls(w io.Writer, r *gotest.Results) {
	fmt.Fprintf(w, "%-10s %-6s %-16s %11s %9s %7s  %s\n", "call", "guest", "who", "µs", "B", "allocs", "times as fast as go-sdk's warm call with its timeout")
	for _, name := range r.Names {
		parts := strings.Split(name, "/")
		s := r.By[name]
		fmt.Fprintf(w, "%-10s %-6s %-16s %11.3f %9.0f %7.0f", parts[0], parts[1], who(parts[2]), s.Median("ns/op")/1e3, s.Median("B/op"), s.Median("allocs/op"))
		sdk := r.By[parts[0]+"/"+parts[1]+"/go-sdk"]["ns/op"]
		if parts[2] != "go-sdk" && len(sdk) > 0 {
			ratios := gotest.Ratios(sdk, s["ns/op"])
			fmt.Fprintf(w, "  %8.2f  %-20s", gotest.Median(ratios), fmt.Sprintf("(%.2f – %.2f)", ratios[0], ratios[len(ratios)-1]))
			if t := faster[name]; t > 0 {
				fmt.Fprintf(w, "  target %gx: %s", t, met(gotest.Median(ratios) >= t))
			}
			if name == "nothing/small/never" || name == "nothing/small/call" {
				fmt.Fprintf(w, "  target %d B, %d allocs: %s", nothingBytes, nothingAllocs, met(s.Median("B/op") <= nothingBytes && s.Median("allocs/op") <= nothingAllocs))
			}
		}
		fmt.Fprintln(w)
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
	case "go-sdk":
		return "go-sdk, warm"
	}
	return short
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "MISSED"
}

func idle(w io.Writer, r *gotest.Results) {
	fmt.Fprintf(w, "%-26s %12s %12s %14s\n", "an idle instance, in KiB", "of Go's heap", "in all", "its own memory")
	for _, name := range r.Names {
		s := r.By[name]
		own := s.Median("KiB-own")
		held := max(s.Median("KiB-resident"), s.Median("KiB-heap"))
		allowed, of := float64(idleGo), ""
		if name == "small" {
			allowed, of = idleSmall+own, fmt.Sprintf(" (%d and its own memory)", idleSmall)
		}
		fmt.Fprintf(w, "%-26s %12.0f %12.0f %14.0f  target %.0f%s: %s\n", name, s.Median("KiB-heap"), s.Median("KiB-resident"), own, allowed, of, met(held <= allowed))
	}
}

// stopped says what the calls that are stopped do.
var stopped = map[string]string{
	"spin": "a loop", "tree": "calls without a loop", "fill": "memory.fill of 16 MiB", "sleep": "sleep for 200 years", "http": "an HTTP request",
}

func kill(w io.Writer, r *gotest.Results) {
	fmt.Fprintf(w, "%-26s %12s %12s\n", "past its deadline", "p50", "p99")
	for _, name := range r.Names {
		s := r.By[name]
		p99 := s.Median("p99-ms")
		fmt.Fprintf(w, "%-26s %9.2f ms %9.2f ms  target p99 %d ms: %s\n", stopped[name], s.Median("p50-ms"), p99, latest, met(p99 <= latest))
	}
}

func prepare(w io.Writer, r *gotest.Results) {
	fmt.Fprintf(w, "%-34s %10s %15s %15s\n", "before a Go-built guest is called", "ms", "peak memory", "allocated")
	for _, row := range []struct {
		name, what string
		most       float64
	}{
		{"prepare/uncached", "check and rewrite", prepareMS},
		{"prepare/cached", "the same, from the cache", prepareCachedMS},
		{"load/uncached", "all, with compiling", 0},
		{"load/cached", "the same, from the cache", 0},
	} {
		s := r.By[row.name]
		ms, peak, all := s.Median("ns/op")/1e6, s.Median("x-peak"), s.Median("x-allocated")
		fmt.Fprintf(w, "%-34s %10.1f %11.1f x %15s", fmt.Sprintf("%s (%.1f MB)", row.what, s.Median("MB-module")), ms, peak, fmt.Sprintf("%.1f x", all))
		if row.most > 0 {
			fmt.Fprintf(w, "  target %g ms, %g x the module: %s", row.most, prepareMemory, met(ms <= row.most && peak <= prepareMemory))
		}
		fmt.Fprintln(w)
	}
}
