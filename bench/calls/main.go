// Command calls prints what a call of a plugin costs, side by side with
// extism/go-sdk and bare wazero in one run, as ratios: for a small guest and a
// Go-built one, with a warm instance, with clean state for each call and with a
// new instance. Then memory of idle instances, how late a call ends that has to
// be stopped, and what it takes before a Go-built guest can be called. Beside
// each figure that has one is its target.
//
//	go run ./bench/calls [-rounds 5] [-time 0.3s]
//
// It runs the benchmarks of host/internal/plugin, with the guests that it builds
// with the plain Go toolchain. Ratios are medians of the rounds; in brackets the
// worst and the best.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"

	"wasmhost/bench/gotest"
)

func main() {
	rounds := flag.Int("rounds", 5, "rounds of each benchmark")
	each := flag.String("time", "0.3s", "length of a round")
	flag.Parse()
	measure := func(pattern, each string, rounds int) *gotest.Results {
		r, err := gotest.Benchmarks{Package: "wasmhost/host/internal/plugin", Run: pattern, Time: each, Rounds: rounds}.Results()
		if err != nil {
			log.Fatal(err)
		}
		return r
	}
	calls(os.Stdout, measure("^BenchmarkCalls$", *each, *rounds))
	fmt.Println()
	idle(os.Stdout, measure("^BenchmarkIdle$", "1x", *rounds))
	fmt.Println()
	kill(os.Stdout, measure("^BenchmarkKill$", "200x", 1))
	fmt.Println()
	prepare(os.Stdout, measure("^BenchmarkPrepare$", "3x", *rounds))
}
