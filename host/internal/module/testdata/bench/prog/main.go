//go:build wasip1

// Command prog is the Go program of the metering benchmark: JSON, sorting,
// regular expressions, maps.
package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"
)

type record struct {
	ID    int               `json:"id"`
	Name  string            `json:"name"`
	Tags  []string          `json:"tags"`
	Attrs map[string]string `json:"attrs"`
}

var words = regexp.MustCompile(`[a-z]+(\d+)-([a-z]*)`)

//go:wasmexport run
func run(turns int32) int32 {
	total := 0
	for range turns {
		var list []record
		for i := range 200 {
			list = append(list, record{i, fmt.Sprintf("item%d-%s", i*7919%1000, strings.Repeat("x", i%7)), []string{"a", "b"}, map[string]string{"k": fmt.Sprint(i)}})
		}
		b, err := json.Marshal(list)
		if err != nil {
			panic(err)
		}
		var back []record
		if err := json.Unmarshal(b, &back); err != nil {
			panic(err)
		}
		sort.Slice(back, func(i, j int) bool { return back[i].Name < back[j].Name })
		for _, r := range back {
			if m := words.FindStringSubmatch(r.Name); m != nil {
				total += len(m[1]) + len(m[2])
			}
		}
	}
	return int32(total)
}

func main() {}
