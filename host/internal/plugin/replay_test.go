package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wasmhost/host/event"
)

// TestReplay records calls on one version and repeats them on another.
func TestReplay(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/greeting", "hello")
	t.Setenv("MOOD", "good")
	var asked atomic.Int64
	server, _ := twoServers(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "answer %d", asked.Add(1)) })
	get := `{"url":"` + server.URL + `/?q=1"}`
	post := `{"method":"post","url":"` + server.URL + `/"}`
	for name, c := range map[string]struct {
		old, new string
		inputs   []string
		says     string
		refused  bool
		same     float64
	}{
		"alike":                  {"ehsame", "ehsame", []string{"1", "2", "3"}, "3 of 3 identical", false, 0},
		"JSON written anew":      {"jh", "kh", []string{"1"}, "1 of 1 identical", false, 0},
		"otherwise":              {"ehold", "ehnew", []string{"1", "2"}, "0 of 2 identical, 2 differ: node n of run r: new 1 instead of old 1", true, 0},
		"one fails":              {"ehsame", "xhsame", []string{"1", "x", "3", "4"}, "3 of 4 identical, 1 differ: node n of run r: error x is not for me instead of same x", true, 0},
		"enough are alike":       {"ehsame", "xhsame", []string{"1", "x", "3", "4"}, "3 of 4 identical, 1 differ: node n of run r: error x is not for me instead of same x", false, 0.75},
		"the same failure":       {"xhsame", "xhsame", []string{"x"}, "1 of 1 identical", false, 0},
		"the same answers":       {"hhsame", "hhsame", []string{get, get, post}, "3 of 3 identical", false, 0},
		"asks what nobody knows": {"ehsame", "hhsame", []string{get}, "0 of 1 identical, 1 cannot be compared", false, 0},
		"asks no more":           {"hhsame", "qhsame", []string{get}, "0 of 1 identical, 1 differ: node n of run r: same  instead of same answer", true, 0},
		"a secret":               {"chsame", "chsame", []string{""}, "0 of 1 identical, 1 cannot be compared", false, 0},
		"a file":                 {"oh", "oh", []string{""}, "0 of 1 identical, 1 cannot be compared", false, 0},
		"a variable":             {"vh", "vh", []string{""}, "0 of 1 identical, 1 cannot be compared", false, 0},
	} {
		r := newTestRuntime(t, Config{})
		s := versionSpec(t, c.old)
		s.Record = 10
		s.Allow = Allow{HTTP: []string{server.URL}}
		switch c.old[0] { // what is granted may matter to every call
		case 'o':
			s.Allow.FS = []Mount{{Path: dir, At: "/data"}}
		case 'v':
			s.Allow.Env = []string{"MOOD"}
		}
		s.Secrets = []Secret{{Name: "key", Value: "sesame-open"}}
		v, _ := newVersions(t, r, s, VersionOptions{})
		for _, input := range c.inputs {
			a, err := v.Call(t.Context(), Call{Input: []byte(input), Meta: Meta{RunID: "r", Node: "n"}})
			if err != nil && c.old[0] != 'x' {
				t.Fatalf("%s: %q, %v", name, a.Output, err)
			}
		}
		before := asked.Load()
		next, report := r.Candidate(t.Context(), s, v.Current(), Gate{Module: versionGuest(t, c.new+".again"), Replay: v.Recordings(), Same: c.same})
		if report.Replay == nil || !strings.HasPrefix(report.Replay.Text, c.says) || (next == nil) != c.refused || c.refused != (report.Refused != nil && report.Refused.Code == codeDiffers) {
			t.Errorf("%s: %+v %+v", name, report.Replay, report.Refused)
		}
		if asked.Load() != before {
			t.Errorf("%s: the replay asked somebody", name)
		}
		if next != nil {
			next.Close(t.Context())
		}
	}
}

// TestUnsentRequests: a version that answers alike, and no longer does what the
// old one did, is not alike.
func TestUnsentRequests(t *testing.T) {
	r := newTestRuntime(t, Config{})
	p := loadVersion(t, r, versionSpec(t, "ehsame"))
	for method, same := range map[string]int{"GET": 1, "HEAD": 1, "POST": 0, "DELETE": 0} {
		recorded := []Recording{{Input: []byte("x"), Output: []byte("same x"), HTTP: []RecordedHTTP{{Method: method, URL: "https://example.com/a?b=c"}}}}
		report, err := r.replay(t.Context(), p, recorded)
		if err != nil || report.Identical != same || same == 0 && report.Differ[0].New != "the same, without "+method+" https://example.com/a" {
			t.Errorf("%s: %+v, %v", method, report, err)
		}
	}
}

// TestReplayWithoutState: what an instance remembers of earlier calls is not
// there.
func TestReplayWithoutState(t *testing.T) {
	r := newTestRuntime(t, Config{})
	s := guest("probe")
	s.Reset, s.Record = ResetNever, 10
	v, _ := newVersions(t, r, s, VersionOptions{})
	for range 3 {
		if _, err := v.Call(t.Context(), Call{Function: "count"}); err != nil {
			t.Fatal(err)
		}
	}
	report, err := r.replay(t.Context(), v.Current(), v.Recordings())
	if err != nil || report.Text != "1 of 3 identical, 2 cannot be compared" {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestRecordings(t *testing.T) {
	const secret = "sesame-open"
	server, _ := twoServers(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Secret", secret)
		fmt.Fprintf(w, "%s %s", secret, body)
	})
	r := newTestRuntime(t, Config{})
	s := guest("probe")
	s.Allow.HTTP, s.Config = []string{server.URL}, map[string]string{"url": server.URL + "/?key=" + secret}
	s.Secrets = []Secret{{Name: "key", Value: secret}}
	v, _ := newVersions(t, r, s, VersionOptions{Record: 4})
	call := func(function, input string) {
		t.Helper()
		buffer := []byte(input)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if function == "spin" {
			ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
		}
		_, _ = v.Call(ctx, Call{Function: function, Input: buffer, Meta: Meta{RunID: "r"}})
		clear(buffer)
	}
	shows := func(want string) {
		t.Helper()
		var all []string
		for _, one := range v.Recordings() {
			text := one.Function + ":" + string(one.Input) + ">" + string(one.Output)
			if one.Error != nil {
				text += one.Error.Error()
			}
			all = append(all, text)
		}
		if got := strings.Join(all, " "); got != want {
			t.Errorf("%s; want %s", got, want)
		}
	}
	call("echo", "a")
	call("post", "b")
	call("fail", "with "+secret)
	call("echo", strings.Repeat("x", maxRecording/2+1)) // too much
	call("spin", "")                                    // timed out
	call("http", `{"url":"http://127.0.0.1:1/"}`)       // denied
	shows("echo:a>a post:b>*** b fail:with ***>with *** http:{\"url\":\"http://127.0.0.1:1/\"}>denied: GET http://127.0.0.1:1/: http://127.0.0.1:1 is not allowed: the plugin may ask " + server.URL + `; add "http://127.0.0.1:1" to its http permissions if that is meant`)
	if x := v.Recordings()[1].HTTP; len(x) != 1 || x[0].Method != "POST" || x[0].URL != server.URL+"/?key=***" || x[0].Status != 200 || string(x[0].Body) != "*** b" || x[0].Headers["x-secret"] != "***" || x[0].BodyDigest != digestOf([]byte("b")) {
		t.Errorf("%+v", x)
	}
	text, err := json.Marshal(v.Recordings())
	if err != nil || strings.Contains(string(text), secret) {
		t.Errorf("%s %v", text, err)
	}
	call("echo", "c")
	call("echo", "d")
	call("echo", "e")
	shows(`http:{"url":"http://127.0.0.1:1/"}>` + v.Recordings()[0].Error.Error() + " echo:c>c echo:d>d echo:e>e")
	// Another process has them, with room for one more than it has itself.
	again, _ := newVersions(t, r, guest("probe"), VersionOptions{Record: 3})
	if _, err := again.Call(t.Context(), Call{Function: "echo", Input: []byte("f")}); err != nil {
		t.Fatal(err)
	}
	var kept []Recording
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	again.Restore(kept[:3])
	if list := again.Recordings(); len(list) != 3 || list[0].Function != "post" || list[1].Function != "fail" || string(list[2].Input) != "f" {
		t.Errorf("%+v", list)
	}
	again.Restore(v.Recordings()) // there is no room
	if list := again.Recordings(); len(list) != 3 || list[0].Function != "post" {
		t.Errorf("%+v", list)
	}
}

func TestSameEnding(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"", "", true}, {"a", "a", true}, {"a", "b", false},
		{`{"a":1,"b":2}`, ` {"b": 2, "a": 1} `, true},
		{`{"a":1}`, `{"a":1.0}`, false},
		{`{"a":9007199254740993}`, `{"a":9007199254740992}`, false},
		{`[1,2]`, `[2,1]`, false},
		{`"\u0041"`, `"A"`, true},
		{`1 2`, `1  2`, false},
		{`{"a":1}x`, `{"a":1}y`, false},
		{"null", "", false},
	} {
		a, b := ending{output: []byte(c.a)}, ending{output: []byte(c.b)}
		if a.same(b) != c.same || b.same(a) != c.same {
			t.Errorf("%s and %s: %v", c.a, c.b, !c.same)
		}
	}
	failed := func(code, text string) ending {
		return ending{err: &event.Error{Class: "x", Code: code, Message: text}}
	}
	warned := func(text string) ending {
		return ending{output: []byte("o"), warnings: []*event.Error{{Message: text}}}
	}
	for _, c := range []struct {
		a, b ending
		same bool
	}{
		{failed("a", "m"), failed("a", "m"), true},
		{failed("a", "m"), failed("b", "m"), false},
		{failed("a", "m"), failed("a", "n"), false},
		{failed("a", "m"), ending{}, false},
		{warned("m"), warned("m"), true},
		{warned("m"), warned("n"), false},
		{warned("m"), ending{output: []byte("o")}, false},
	} {
		if c.a.same(c.b) != c.same || c.b.same(c.a) != c.same {
			t.Errorf("%+v and %+v: %v", c.a, c.b, !c.same)
		}
	}
}

// FuzzSameJSON: whatever outputs are, comparing them ends, says the same both
// ways, and knows each as itself when it is JSON.
func FuzzSameJSON(f *testing.F) {
	for _, text := range []string{"", "{}", `{"a":[1,null,"x"]}`, "[[[[", `{"a":1,"a":2}`, "1e999999999", "\xff"} {
		f.Add([]byte(text), []byte(`{"a":1}`))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if sameJSON(a, b) != sameJSON(b, a) {
			t.Error("it depends on the order")
		}
		if json.Valid(a) != sameJSON(a, a) {
			t.Error("it is not what it is")
		}
	})
}
