// Command process measures whole processes, as a user waits for them: the
// quickstart with a warm cache of compiled plugins, its declared waits left out,
// and `host validate` of a file with 1,000 nodes.
//
//	go run ./bench/process [-n 21]
//
// It prints medians with the fastest and slowest of N runs.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

func main() {
	n := flag.Int("n", 21, "runs of each")
	flag.Parse()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	host := filepath.Join(dir, "host")
	if out, err := exec.Command("go", "build", "-o", host, "./cmd/host").CombinedOutput(); err != nil {
		log.Fatalf("%s", out)
	}
	env := append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "XDG_STATE_HOME="+filepath.Join(dir, "state"), "CI=true")

	fmt.Printf("%-46s %10s %10s %10s\n", "whole process", "median", "fastest", "slowest")
	version := measure(*n, func() time.Duration { d, _ := run(env, host, "version"); return d })
	show("host version", version, 0)

	cold, _ := run(env, host, "run", "-o", "quiet", "examples/quickstart/workflow.toml")
	fmt.Printf("%-46s %10s\n", "quickstart, empty cache, waits included", cold.Round(time.Millisecond))
	warm := measure(*n, func() time.Duration {
		d, out := run(env, host, "run", "-o", "jsonl", "examples/quickstart/workflow.toml")
		return d - waits(out)
	})
	show("quickstart, warm cache, waits left out", warm, 100*time.Millisecond)

	file := filepath.Join(dir, "thousand.toml")
	if err := os.WriteFile(file, thousand(), 0o644); err != nil {
		log.Fatal(err)
	}
	show("host validate, 1,000 nodes", measure(*n, func() time.Duration { d, _ := run(env, host, "validate", file); return d }), 0)
}

func run(env []string, name string, args ...string) (time.Duration, []byte) {
	cmd := exec.Command(name, args...)
	cmd.Env = env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	start := time.Now()
	err := cmd.Run()
	d := time.Since(start)
	if err != nil {
		log.Fatalf("%s %v: %v\n%s", name, args, err, errs.Bytes())
	}
	return d, out.Bytes()
}

// waits is the time in which every branch that was still running waited for a
// retry: the union of the declared waits.
func waits(events []byte) time.Duration {
	type span struct{ from, to time.Time }
	var spans []span
	for line := range bytes.Lines(events) {
		var e struct {
			Type string    `json:"type"`
			Time time.Time `json:"time"`
			Wait float64   `json:"retry_in_ms"`
		}
		if json.Unmarshal(line, &e) == nil && e.Type == "node.retrying" {
			spans = append(spans, span{e.Time, e.Time.Add(time.Duration(e.Wait * 1e6))})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	var total time.Duration
	var end time.Time
	for _, s := range spans {
		if s.from.Before(end) {
			s.from = end
		}
		if s.to.After(s.from) {
			total += s.to.Sub(s.from)
			end = s.to
		}
	}
	return total
}

func measure(n int, once func() time.Duration) []time.Duration {
	once() // the first one fills caches
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = once()
	}
	slices.Sort(all)
	return all
}

// show prints a row; a target of 0 is none.
func show(what string, all []time.Duration, target time.Duration) {
	r := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1e3) }
	median := all[len(all)/2]
	fmt.Printf("%-46s %10s %10s %10s", what, r(median), r(all[0]), r(all[len(all)-1]))
	if target > 0 {
		met := "met"
		if median > target {
			met = "MISSED"
		}
		fmt.Printf("  target %v: %s", target, met)
	}
	fmt.Println()
}

// thousand is a workflow of 1,000 nodes in ten layers, with expressions.
func thousand() []byte {
	var b bytes.Buffer
	b.WriteString("version = 1\nname = \"thousand\"\n[plugins.up]\nsource = \"builtin:uppercase\"\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "[nodes.n%d]\nplugin = \"up\"\n", i)
		if i >= 100 {
			above, beside := i-100, i-100-i%100+(i+1)%100
			fmt.Fprintf(&b, "needs = [\"n%d\", \"n%d\"]\nwith = { text = \"{{ nodes.n%d.output.text }} and {{ nodes.n%d.output.text }}\" }\n", above, beside, above, beside)
		} else {
			b.WriteString("with = { text = \"{{ input }}\" }\n")
		}
	}
	return b.Bytes()
}
