// Command conformance prints one table of what runs here as it does elsewhere,
// and what does not, with the reason: every module of extism/go-sdk's own tests
// with go-sdk and with ours; the WebAssembly core test suite with modules as
// they are and prepared; generated modules likewise; and mutants of modules
// through decoder and compiler.
//
//	go run ./bench/conformance [-full] [-generated n] [-mutants n] [-seed n]
//
// The short run takes less than a minute; the full one a million mutants and
// 20,000 generated modules, and hours. It fails when something differs for no
// listed reason.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"wasmhost/bench/gotest"
)

func main() {
	full := flag.Bool("full", false, "the campaign: a million mutants, 20,000 generated modules")
	generated := flag.Int("generated", 0, "generated modules (150; full: 20,000)")
	mutants := flag.Int("mutants", 0, "mutants (3,000; full: 1,000,000)")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "what generated modules and mutants are drawn from")
	flag.Parse()
	many := func(asked, short, long int) int {
		switch {
		case asked > 0:
			return asked
		case *full:
			return long
		}
		return short
	}
	begin := time.Now()
	rows, err := gotest.Tests{
		Packages: []string{"wasmhost/host/internal/plugin", "wasmhost/host/internal/module"},
		Run:      "^Test(Conformance|CoreSuite|PreparedModulesBehaveTheSame|Mutants)$",
		Env: []string{
			fmt.Sprint("MODULE_CAMPAIGN=", many(*generated, 150, 20_000)),
			fmt.Sprint("MODULE_MUTANTS=", many(*mutants, 3_000, 1_000_000)),
			fmt.Sprint("MODULE_SEED=", *seed),
		},
	}.Rows()
	slices.SortStableFunc(rows, func(a, b gotest.Row) int { return place(a) - place(b) })
	unexplained := show(os.Stdout, rows)
	fmt.Printf("\nin all %s\n", time.Since(begin).Round(time.Second))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if unexplained > 0 {
		fmt.Fprintf(os.Stderr, "%d cases differ for no listed reason\n", unexplained)
		os.Exit(1)
	}
}

// place is where a row stands, wherever its test ran.
func place(r gotest.Row) int {
	return slices.IndexFunc([]string{"go-sdk", "core", "generated", "mutants"}, func(kind string) bool { return strings.HasPrefix(r.What, kind) })
}

// show prints the table and what is behind it, and returns how many
// differences have no reason.
func show(w io.Writer, rows []gotest.Row) (unexplained int) {
	fmt.Fprintf(w, "%-86s %18s %9s %9s %8s\n", "what", "how many", "same", "different", "time")
	for _, r := range rows {
		fmt.Fprintf(w, "%-86s %18s %9d %9d %7.1fs\n", r.What, fmt.Sprint(r.Number, " ", r.Unit), r.Number-len(r.Different), len(r.Different), r.Seconds)
	}
	for _, r := range rows {
		if r.Note == "" && len(r.Different) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s\n", r.What)
		if r.Note != "" {
			fmt.Fprintf(w, "  %s\n", r.Note)
		}
		for _, d := range r.Different {
			why := d.Why
			if why == "" {
				why = "NO REASON IS LISTED"
				unexplained++
			}
			fmt.Fprintf(w, "  - %s\n    %s\n", d.What, why)
		}
	}
	return unexplained
}
