// Command metering prints what metering costs on real programs, each built from
// source, beside the same program without any check and beside wazero's own way
// of stopping (WithCloseOnContextDone): zlib, LZ4, cJSON, quicksort with
// SHA-256, the Lua interpreter, recursion, tight arithmetic with and without
// SIMD, and a Go program that does JSON, sorting and regular expressions.
//
//	go run ./bench/metering [-rounds 1] [-dir DIR]
//
// The sources of zlib, LZ4, cJSON and Lua come from Debian's archive, by apt-get
// and with pinned digests, into DIR; "" is a folder of the user's cache. Building
// needs clang, lld and wasi-libc. It runs the benchmark of host/internal/module,
// which takes processor time, and of each the best of many turns.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"

	"wasmhost/bench/gotest"
)

// Targets: how many times as long a program may take as without any check.
const (
	most   = 1.3
	middle = 1.15
)

func main() {
	log.SetFlags(0)
	rounds := flag.Int("rounds", 1, "rounds of each program")
	dir := flag.String("dir", "", "where sources and modules are kept")
	flag.Parse()
	if *dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			log.Fatalf("there is no cache folder: %v; name one with -dir", err)
		}
		*dir = filepath.Join(cache, "wasmhost-metering")
	}
	modules, err := build(*dir)
	if err != nil {
		log.Fatal(err)
	}
	r, err := gotest.Benchmarks{Package: "wasmhost/host/internal/module", Run: "^BenchmarkMetering$", Time: "1x", Rounds: *rounds,
		Env: []string{"MODULE_PROGRAMS=" + modules}}.Results()
	if err != nil {
		log.Fatal(err)
	}
	show(os.Stdout, r)
}

// show prints the table in the order of the programs.
func show(w io.Writer, r *gotest.Results) {
	fmt.Fprintf(w, "%-44s %12s %10s %24s\n", "program", "without", "metered", "WithCloseOnContextDone")
	var all []float64
	for _, p := range programs {
		s, ok := r.By[p.name]
		if !ok {
			fmt.Fprintf(w, "%-44s %12s\n", p.what, "(not measured)")
			continue
		}
		x := s.Median("x-metered")
		all = append(all, x)
		verdict := ""
		if x > most {
			verdict = fmt.Sprintf("  above %.2f x", most)
		}
		fmt.Fprintf(w, "%-44s %9.2f ms %8.2f x %22.1f x%s\n", p.what, s.Median("plain-ms"), x, s.Median("x-closing"), verdict)
	}
	if len(all) == 0 {
		return
	}
	met := "met"
	if median := gotest.Median(all); median > middle || slices.Max(all) > most || len(all) < len(programs) {
		met = "MISSED"
	}
	fmt.Fprintf(w, "%-44s %12s %8.2f x\n", "median", "", gotest.Median(all))
	fmt.Fprintf(w, "%-44s %12s %8.2f x\n", "most", "", slices.Max(all))
	fmt.Fprintf(w, "target: each %.2f x at most, median %.2f x: %s\n", most, middle, met)
}
