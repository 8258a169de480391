package gotest

import (
	"slices"
	"strings"
	"testing"
)

func TestReadBenchmarks(t *testing.T) {
	r := &Results{By: map[string]Series{}}
	const round = `goos: linux
BenchmarkCalls/nothing/small/call-2         	  250000	      4136 ns/op	       9 B/op	       0 allocs/op
BenchmarkPrepare                            	       3	  44626828 ns/op	  80.51 MB/s
BenchmarkKill/host-call-2 	100	0.98 p50-ms	4.12 p99-ms
PASS
`
	for range 2 {
		if err := r.read(strings.NewReader(round)); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"nothing/small/call", "Prepare", "host-call"}; !slices.Equal(r.Names, want) {
		t.Errorf("names %q, want %q", r.Names, want)
	}
	for _, c := range []struct {
		name, unit string
		want       float64
	}{{"nothing/small/call", "ns/op", 4136}, {"nothing/small/call", "B/op", 9}, {"Prepare", "MB/s", 80.51}, {"host-call", "p99-ms", 4.12}} {
		if got := r.By[c.name][c.unit]; !slices.Equal(got, []float64{c.want, c.want}) {
			t.Errorf("%s %s is %v, want %v twice", c.name, c.unit, got, c.want)
		}
	}
	if err := r.read(strings.NewReader("BenchmarkX 3 fast ns/op\n")); err == nil {
		t.Error("a value that is no number was read")
	}
}

func TestMedianAndRatios(t *testing.T) {
	if got := Median([]float64{3, 1, 2}); got != 2 {
		t.Errorf("median %v", got)
	}
	if got := Median(nil); got != 0 {
		t.Errorf("median of nothing %v", got)
	}
	if got := Ratios([]float64{6, 4, 9}, []float64{2, 4}); !slices.Equal(got, []float64{1, 3}) {
		t.Errorf("ratios %v", got)
	}
}

// attributes takes what a row tells.
type attributes map[string]string

func (a attributes) Attr(key, value string) { a[key] = value }

func TestRowsAreReadAsTold(t *testing.T) {
	told := attributes{}
	(&Row{What: "corpus", Number: 2, Different: []Difference{{"x \"run\"", "is stricter"}}}).Tell(told)
	out := `{"Action":"output","Test":"TestA","Output":"noise\n"}
{"Action":"attr","Test":"TestA","Key":"other","Value":"{"}
{"Action":"attr","Test":"TestA","Key":"row","Value":` + quoted(told[rowKey]) + `}
{"Action":"pass","Test":"TestA"}
{"Action":"output","Test":"TestB","Output":"why\n"}
{"Action":"fail","Test":"TestB"}
`
	rows, said, err := readRows(strings.NewReader(out))
	if err != nil || len(rows) != 1 || rows[0].What != "corpus" || len(rows[0].Different) != 1 || rows[0].Different[0].Why != "is stricter" {
		t.Errorf("rows %+v, %v", rows, err)
	}
	if said != "why\n" {
		t.Errorf("said %q: what failed must say why, and nothing else", said)
	}
	if _, _, err := readRows(strings.NewReader("a broken line\n")); err == nil {
		t.Error("a line that is no event was read")
	}
}

func quoted(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }
