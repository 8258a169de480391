package gotest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Benchmarks is a run of benchmarks.
type Benchmarks struct {
	Package string
	Run     string // pattern
	Time    string // of each round: 0.3s, 100x
	Rounds  int
	Env     []string // NAME=value
}

// Results are the values that benchmarks reported, by the name behind the first
// slash (the whole name of a benchmark without sub-benchmarks).
type Results struct {
	Names []string // in the order of the first round
	By    map[string]Series
}

// Series are the values of one benchmark by unit, one a round.
type Series map[string][]float64

// Results runs the benchmarks: one round of all before the next, so that a slow
// minute of the machine touches all of them.
func (s Benchmarks) Results() (*Results, error) {
	r := &Results{By: map[string]Series{}}
	for range max(s.Rounds, 1) {
		cmd := exec.Command("go", "test", "-run", "^$", "-bench", s.Run, "-benchtime", s.Time, "-timeout", "0", s.Package)
		cmd.Env = append(os.Environ(), s.Env...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("the benchmarks failed: %w\n%s", err, out)
		}
		if err := r.read(bytes.NewReader(out)); err != nil {
			return nil, err
		}
	}
	if len(r.Names) == 0 {
		return nil, fmt.Errorf("no benchmark of %s matches %q", s.Package, s.Run)
	}
	return r, nil
}

// result is a line of `go test -bench`: name, processors, turns, values.
var result = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

func (r *Results) read(from io.Reader) error {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		m := result.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		name := m[1]
		if _, below, ok := strings.Cut(name, "/"); ok {
			name = below
		}
		if r.By[name] == nil {
			r.By[name] = Series{}
			r.Names = append(r.Names, name)
		}
		fields := strings.Fields(m[2])
		for i := 0; i+1 < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return fmt.Errorf("reading %q: %w", lines.Text(), err)
			}
			r.By[name][fields[i+1]] = append(r.By[name][fields[i+1]], v)
		}
	}
	return lines.Err()
}

// Median is that of the rounds' values; 0 of none.
func (s Series) Median(unit string) float64 { return Median(s[unit]) }

// Median is the one in the middle; of an even number the higher of the two, 0
// of none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// Ratios are a over b, round by round, sorted.
func Ratios(a, b []float64) []float64 {
	var all []float64
	for i := range min(len(a), len(b)) {
		all = append(all, a[i]/b[i])
	}
	slices.Sort(all)
	return all
}
