// Command engine prints what a node costs. First the engine and the default
// policies alone, with plugins that do nothing and no WebAssembly: time, memory
// and allocations for a chain and a fan-out of 10 to 100,000 nodes. Then a node
// with everything that belongs to it but a journal: engine, policies, events and
// a call of a small guest with clean state, 1 KiB in and out, beside
// extism/go-sdk's bare call of the same function, warm.
//
//	go run ./bench/engine [-rounds 5]
//
// It runs the benchmarks of host/internal/bench and puts their figures side by
// side: the median of the rounds, with the fastest and the slowest.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"

	"wasmhost/bench/gotest"
)

func main() {
	rounds := flag.Int("rounds", 5, "rounds of each size")
	flag.Parse()
	measure := func(pattern, each string) *gotest.Results {
		r, err := gotest.Benchmarks{Package: "wasmhost/host/internal/bench", Run: pattern, Time: each, Rounds: *rounds}.Results()
		if err != nil {
			log.Fatal(err)
		}
		return r
	}
	graphs(os.Stdout, measure("^BenchmarkEngine$", "0.5s"))
	fmt.Println()
	nodes(os.Stdout, measure("^BenchmarkNode$", "0.5s"))
}
