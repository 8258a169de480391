package sandboxtest

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
)

const page = 64 << 10

// TestEveryLimit reaches every limit from within a guest: at the limit all is
// well, one beyond there is the limit's own code.
func TestEveryLimit(t *testing.T) {
	shown, _ := folder(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, strings.Repeat("x", 1000)) }))
	defer server.Close()
	asks := func(s *plugin.Spec) {
		s.Allow.HTTP = []string{server.URL}
		s.Config = map[string]string{"request": request(server.URL)}
	}
	over := func(code, text string) answer {
		return answer{code: code, class: event.System, unknown: true, text: text}
	}
	for _, c := range []struct {
		name, function string
		change         func(*plugin.Spec)
		limit          uint64
		at, beyond     answer
	}{
		{"memory of the module", "grow", func(s *plugin.Spec) { s.Limits.Memory = 40 * page }, 40,
			answer{}, over("memory_limit", `it asked for more than 2560 KiB \(limits\.memory\)`)},
		// One page is the environment's own, with 4,112 bytes before the first
		// block; the guest has 3.
		{"memory of blocks", "blocks", func(s *plugin.Spec) { s.Limits.Memory = 40 * page }, 2097152,
			answer{}, over("memory_limit", `a block of \d+ bytes does not fit into 2560 KiB \(limits\.memory\)`)},
		{"output", "output_", func(s *plugin.Spec) { s.Limits.Output = 1000 }, 1000,
			answer{output: string(make([]byte, 1000))}, over("output_limit", `the output has 1001 bytes, and limits\.output allows 1000 bytes`)},
		{"vars", "vars", func(s *plugin.Spec) { s.Limits.Vars = 2500 }, 2500,
			answer{}, over("vars_limit", `would make 2501 bytes of vars, and limits\.vars allows 2500 bytes`)},
		{"http requests", "requests", func(s *plugin.Spec) { asks(s); s.Limits.HTTPRequests = 3 }, 3,
			answer{}, answer{code: "http_limit", class: event.System, text: `more than 3 http requests \(limits\.http_requests\)`}},
		{"http bytes", "requests", func(s *plugin.Spec) { asks(s); s.Limits.HTTPBytes = 3000 }, 3,
			answer{}, answer{code: "http_limit", class: event.System, text: `more than 3000 bytes by http \(limits\.http_bytes\)`}},
		{"files", "files", func(s *plugin.Spec) { shows(shown, false)(s); s.Limits.Files = 5 }, 5,
			answer{}, answer{code: "file_limit", text: `limits\.files`}},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			call := loaded(t, attack{guest: "host/limits.c", change: c.change})
			for range 2 { // what one call used is not counted in the next
				if err := c.at.check(call(c.function, number(c.limit))); err != nil {
					t.Errorf("at the limit: %v", err)
				}
				beyond := c.limit + 1
				if c.function == "blocks" {
					beyond = 40*page + 1
				}
				if err := c.beyond.check(call(c.function, number(beyond))); err != nil {
					t.Errorf("one beyond: %v", err)
				}
			}
		})
	}
}

func number(n uint64) string { return string(binary.LittleEndian.AppendUint64(nil, n)) }

// TestInputLimit: no guest is run for an input that is too long.
func TestInputLimit(t *testing.T) {
	call := loaded(t, attack{guest: "host/limits.c", change: func(s *plugin.Spec) { s.Limits.Input = 100 }})
	if err := (answer{}).check(call("steps", number(1)+strings.Repeat("x", 92))); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	want := answer{code: "input_limit", class: event.Permanent, text: `the input has 101 bytes, and limits\.input allows 100 bytes`}
	if err := want.check(call("steps", number(1)+strings.Repeat("x", 93))); err != nil {
		t.Errorf("one beyond: %v", err)
	}
}

// TestStepLimit: a call may use all of its steps, and not one more.
func TestStepLimit(t *testing.T) {
	for _, turns := range []uint64{0, 1, 1000, 200_000, 3_000_000} {
		var used uint64
		for _, limit := range []int64{0, 0, 1} { // none; all; one too few
			if limit == 0 && used != 0 {
				limit = int64(used)
			} else if limit == 1 {
				limit = int64(used) - 1
			}
			call := loaded(t, attack{guest: "host/limits.c", change: func(s *plugin.Spec) { s.Limits.Steps = limit }})
			got, err := call("steps", number(turns))
			if used == 0 {
				used = got.Steps
			}
			want := answer{}
			if limit == int64(used)-1 {
				want = answer{code: "step_limit", class: event.System, unknown: true, text: fmt.Sprintf(`the plugin used more than %d steps \(limits\.steps\)`, limit)}
			}
			if err := want.check(got, err); err != nil {
				t.Errorf("%d turns, %d steps, limit %d: %v", turns, used, limit, err)
			}
		}
	}
}

// TestLogLimit: a log may be as long as its limit; what is beyond is left out,
// and a line of the log says so, with the code. The call goes on.
func TestLogLimit(t *testing.T) {
	a := attack{guest: "host/limits.c", change: func(s *plugin.Spec) { s.Limits.Log = 1000 }}
	rt := plugin.NewRuntime(plugin.Config{})
	defer rt.Close(context.Background())
	p, err := rt.Load(t.Context(), a.spec(t))
	if err != nil {
		t.Fatal(err)
	}
	for n, cut := range map[uint64]bool{1000: false, 1002: true} { // a line end is counted, and one that is the last not missed
		var lines []string
		_, err := p.Call(t.Context(), plugin.Call{Function: "log_", Input: []byte(number(n)), Log: func(_, message string) { lines = append(lines, message) }})
		if err != nil {
			t.Fatal(err)
		}
		last := lines[len(lines)-1]
		if strings.Contains(last, "log_limit") != cut {
			t.Errorf("%d bytes in %d lines, the last is %q", n, len(lines), last)
		}
	}
}

// TestTableLimit: a module may start with a million elements in its tables, and
// grow them to a few more; beyond, growing fails as the specification says.
func TestTableLimit(t *testing.T) {
	call := loaded(t, attack{guest: "host/limit-table.wat"})
	if err := (answer{}).check(call("", "")); err != nil {
		t.Error(err)
	}
	for n, code := range map[int]string{1_000_000: "", 1_000_001: "table_limit"} {
		path := t.TempDir() + "/table.wasm"
		write(t, path, wasm(section(sectionType, []byte{1, 0x60, 0, 0}), section(sectionFunction, []byte{1, 0}), section(sectionTable, []byte{1, 0x70, 0}, leb(n)),
			section(sectionExport, []byte{1, 3}, []byte("run"), []byte{0, 0}), section(sectionCode, []byte{1, 2, 0, 0x0b})))
		bomb(t, path, code)
	}
}

// TestInstanceLimit: a call beyond the instances that there may be waits, and
// says so when its time is over.
func TestInstanceLimit(t *testing.T) {
	a := attack{guest: "host/limits.c", change: func(s *plugin.Spec) { s.Limits.Instances = 2 }}
	rt := plugin.NewRuntime(plugin.Config{})
	defer rt.Close(context.Background())
	p, err := rt.Load(t.Context(), a.spec(t))
	if err != nil {
		t.Fatal(err)
	}
	long, end := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	working := make(chan struct{})
	for range 2 {
		go func() {
			var once bool
			_, err := p.Call(long, plugin.Call{Function: "log_forever", Input: []byte(number(1)), Log: func(string, string) {
				if !once {
					once = true
					working <- struct{}{}
				}
			}})
			ended <- err
		}()
	}
	<-working // at the limit: both work at once
	<-working
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	want := answer{code: "instance_limit", class: event.Transient, text: `waiting for one of 2 instances of the plugin \(limits\.instances\)`}
	if err := want.check(p.Call(ctx, plugin.Call{Function: "steps", Input: []byte(number(1))})); err != nil {
		t.Error(err)
	}
	end()
	for range 2 {
		if err := (answer{code: "cancelled", class: event.Unknown, unknown: true, text: `.`}).check(plugin.Answer{}, <-ended); err != nil {
			t.Error(err)
		}
	}
	if err := (answer{}).check(p.Call(t.Context(), plugin.Call{Function: "steps", Input: []byte(number(1))})); err != nil {
		t.Error(err)
	}
}
