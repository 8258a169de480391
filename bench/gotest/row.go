package gotest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Row is what a test that compares two ways of doing the same reports: how many
// it compared, and what came out otherwise.
type Row struct {
	What      string       `json:"what"`
	Unit      string       `json:"unit"` // of Number: calls, commands, modules
	Number    int          `json:"number"`
	Different []Difference `json:"different,omitempty"`
	Note      string       `json:"note,omitempty"`
	Seconds   float64      `json:"seconds"`
}

// Difference is one case with two outcomes.
type Difference struct {
	What string `json:"what"`
	// Why is the reason that the test knows; "" is a mistake, and the test fails.
	Why string `json:"why,omitempty"`
}

// rowKey is the attribute of a test that holds a row.
const rowKey = "row"

// Tell puts the row into the output of a test, where Rows finds it. It shows
// only in verbose runs.
func (r *Row) Tell(t interface{ Attr(key, value string) }) {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and numbers
	}
	t.Attr(rowKey, string(b))
}

// Tests is a run of tests that tell rows.
type Tests struct {
	Packages []string
	Run      string   // pattern
	Args     []string // more of go test's
	Env      []string // NAME=value
}

// Rows runs the tests, side by side where they are of several packages. When
// they fail, or end before their time, the error holds what they printed; the
// rows told until then are returned with it.
func (s Tests) Rows() ([]Row, error) {
	args := append([]string{"test", "-json", "-count", "1", "-timeout", "0", "-run", s.Run}, s.Args...)
	cmd := exec.Command("go", append(args, s.Packages...)...)
	cmd.Env = append(os.Environ(), s.Env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	rows, said, err := readRows(out)
	if err != nil {
		return rows, err
	}
	if err := cmd.Wait(); err != nil {
		return rows, fmt.Errorf("the tests failed: %w\n%s%s", err, said, &stderr)
	}
	return rows, nil
}

// testEvent is a line of `go test -json` (see `go doc test2json`).
type testEvent struct {
	Action, Test, Output, Key, Value string
}

// readRows also returns what the tests that failed, and the processes, printed.
func readRows(r io.Reader) (rows []Row, said string, err error) {
	printed := map[string]*strings.Builder{}
	var all strings.Builder
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e testEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return rows, all.String(), fmt.Errorf("go test -json printed %q: %w", lines.Bytes(), err)
		}
		switch e.Action {
		case "attr":
			if e.Key != rowKey {
				continue
			}
			var row Row
			if err := json.Unmarshal([]byte(e.Value), &row); err != nil {
				return rows, all.String(), fmt.Errorf("%s told a row that cannot be read: %w", e.Test, err)
			}
			rows = append(rows, row)
		case "output", "build-output":
			if printed[e.Test] == nil {
				printed[e.Test] = &strings.Builder{}
			}
			printed[e.Test].WriteString(e.Output)
		case "fail", "build-fail":
			if b := printed[e.Test]; b != nil {
				all.WriteString(b.String())
			}
			delete(printed, e.Test)
		case "pass", "skip":
			delete(printed, e.Test)
		}
	}
	return rows, all.String(), lines.Err()
}
