package plugin

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"wasmhost/host/event"
)

// steps are the names of a report's steps; a ! follows the one that failed.
func steps(r *event.SwapReport) string {
	var all []string
	for _, s := range r.Steps {
		if !s.OK {
			s.Name += "!"
		}
		all = append(all, s.Name)
	}
	return strings.Join(all, " ")
}

func TestCandidates(t *testing.T) {
	bomb := append([]byte("\x00asm\x01\x00\x00\x00\x01\xff\xff\xff\xff\x0f"), make([]byte, 10)...)
	for name, c := range map[string]struct {
		module []byte
		change func(*Spec, *Gate)
		steps  string
		code   string
		says   string
	}{
		"good":                       {versionGuest(t, "ehnew"), nil, "fetch check compile permissions start health", "", ""},
		"the same":                   {versionGuest(t, "ehold"), nil, "fetch check", "", ""},
		"nothing":                    {[]byte{}, nil, "fetch check!", codeBadModule, ""},
		"text":                       {[]byte("hello"), nil, "fetch check!", codeBadModule, "not WebAssembly"},
		"half":                       {versionGuest(t, "eh")[:2000], nil, "fetch check!", codeBadModule, ""},
		"a bomb":                     {bomb, nil, "fetch check!", codeBadModule, ""},
		"threads":                    {read(t, "threads.wasm"), nil, "fetch check!", codeUnsupported, ""},
		"a bad manifest":             {[]byte(`{"wasm":[{"path":"probe.wasm"}]}`), nil, "fetch check!", codeBadModule, "a manifest that is not a local file cannot name the path \"probe.wasm\", for there is no folder that it would be in; give the module as data"},
		"not invalid to the checker": {[]byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x05\x01\x03\x00\x6a\x0b"), nil, "fetch check compile!", codeBadModule, "cannot be compiled"},
		"another digest":             {versionGuest(t, "ehnew"), func(s *Spec, _ *Gate) { s.SHA256 = strings.Repeat("ab", 32) }, "fetch check!", codeDigest, "is wanted"},
		"sick":                       {versionGuest(t, "eu"), nil, "fetch check compile permissions start health!", codeUnhealthy, `health of the new version: it says that it is not healthy: {"healthy": false, "why": "sick"}`},
		"failing":                    {versionGuest(t, "ef"), nil, "fetch check compile permissions start health!", codeUnhealthy, "health of the new version: not today"},
		"never ready":                {versionGuest(t, "es"), func(_ *Spec, g *Gate) { g.Timeout = 50 * time.Millisecond }, "fetch check compile permissions start health!", codeTimeout, "timed out while the new version was asked for its health (health)"},
		"start loop":                 {read(t, "start_loop.wasm"), func(_ *Spec, g *Gate) { g.Timeout, g.Health = 50*time.Millisecond, []string{"run"} }, "fetch check compile permissions start!", codeTimeout, "timed out while the new version was being started"},
		"no such check":              {versionGuest(t, "ehnew"), func(_ *Spec, g *Gate) { g.Health = []string{"ping"} }, "fetch check compile permissions start health!", codeUnhealthy, `ping of the new version: missing_export: the module has no export "ping"`},
		"nothing in it":              {[]byte("\x00asm\x01\x00\x00\x00"), func(_ *Spec, g *Gate) { g.Functions = []string{"run"} }, "fetch check!", codeMissing, `the module has no export "run"; it exports no function that could be called`},
		"one is missing":             {versionGuest(t, "ehnew"), func(_ *Spec, g *Gate) { g.Functions = []string{"run", "shout"} }, "fetch check!", codeMissing, `no export "shout"; it has health, run`},
		"all are there":              {versionGuest(t, "ehnew"), func(_ *Spec, g *Gate) { g.Functions = []string{"run", "health", ""} }, "fetch check compile permissions start health", "", ""},
		"a start that traps":         {[]byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x07\x07\x01\x03run\x00\x00\x08\x01\x00\x0a\x05\x01\x03\x00\x00\x0b"), nil, "fetch check compile permissions start!", "trap", "the new version does not start: "},
		"a command":                  {read(t, "command.wasm"), func(s *Spec, g *Gate) { g.Functions = []string{"run"}; g.AcceptPermissions = true }, "fetch check compile permissions start health", "", ""},
		"a check":                    {versionGuest(t, "ehnew"), func(_ *Spec, g *Gate) { g.Health = []string{"run"} }, "fetch check compile permissions start health", "", ""},
		"a check fails":              {versionGuest(t, "fh"), func(_ *Spec, g *Gate) { g.Health = []string{"run"} }, "fetch check compile permissions start health!", codeUnhealthy, "run of the new version: it always fails"},
		"nothing recorded":           {versionGuest(t, "ehnew"), func(_ *Spec, g *Gate) { g.Replay = []Recording{} }, "fetch check compile permissions start health replay", "", ""},
		"too large":                  {make([]byte, 1<<20+1), nil, "fetch!", codeBadModule, "modules up to 1 MiB are read"},
		"a bad spec":                 {versionGuest(t, "ehnew"), func(s *Spec, _ *Gate) { s.Reset = "sometimes" }, "", codeBadSpec, "reset is"},
	} {
		r := newTestRuntime(t, Config{MaxModuleBytes: 1 << 20})
		s := versionSpec(t, "ehold")
		s.Secrets = []Secret{{Name: "key", Value: "not today!"}}
		old := loadVersion(t, r, s)
		g := Gate{Module: c.module}
		if c.change != nil {
			c.change(&s, &g)
		}
		next, report := r.Candidate(t.Context(), s, old, g)
		if steps(report) != c.steps || report.Plugin != "guest" || report.From != old.Digest() {
			t.Errorf("%s: %s; %+v", name, steps(report), report)
		}
		switch {
		case name == "the same":
			if next != nil || !report.Unchanged || report.Refused != nil || report.To != report.From {
				t.Errorf("%s: %+v", name, report)
			}
		case c.code == "":
			if next == nil || report.Refused != nil || report.To != next.Digest() {
				t.Fatalf("%s: %+v", name, report.Refused)
			}
			next.Close(t.Context())
		default:
			if next != nil || report.Refused == nil || report.Refused.Code != c.code || report.Refused.Plugin != "guest" || !strings.Contains(report.Refused.Message, c.says) {
				t.Errorf("%s: %+v", name, report.Refused)
			}
		}
		if st := r.Stats(); len(st.Plugins) != 1 || st.Compiled != 1 {
			t.Errorf("%s: something is left: %+v", name, st)
		}
		if _, err := old.Call(t.Context(), Call{}); err != nil {
			t.Errorf("%s: the old version: %v", name, err)
		}
	}
}

// TestCandidateOfItsSource: without a module it is the source that is read.
func TestCandidateOfItsSource(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/v.wasm", string(versionGuest(t, "ehone")))
	r := newTestRuntime(t, Config{})
	s := Spec{Name: "guest", Source: "v.wasm", Dir: dir}
	old := loadVersion(t, r, s)
	if !bytes.Equal(old.Module(), versionGuest(t, "ehone")) {
		t.Error("the bytes are not those of the file")
	}
	if next, report := r.Candidate(t.Context(), s, old, Gate{}); next != nil || !report.Unchanged {
		t.Errorf("%+v", report)
	}
	write(t, dir+"/v.wasm", string(versionGuest(t, "ehtwo")))
	if next, report := r.Candidate(t.Context(), s, old, Gate{}); next == nil || report.Steps[0].Text != "3506 bytes of v.wasm" {
		t.Errorf("%+v", report)
	}
	if err := os.Remove(dir + "/v.wasm"); err != nil {
		t.Fatal(err)
	}
	if next, report := r.Candidate(t.Context(), s, old, Gate{}); next != nil || report.Refused.Code != codeNotFound {
		t.Errorf("%+v", report)
	}
}

// TestCandidateIsGivenBack: whenever its time is over, or its context ends.
func TestCandidateIsGivenBack(t *testing.T) {
	r := newTestRuntime(t, Config{})
	s := versionSpec(t, "ehold")
	old := loadVersion(t, r, s)
	recorded := []Recording{{Input: []byte("x"), Output: []byte("slow x"), Duration: time.Hour}}
	for _, c := range []struct{ plan, steps string }{{"es", "fetch check compile permissions start health!"}, {"shx", "fetch check compile permissions start health replay!"}} {
		// Of the gates, and not of the context: to compile may take longer on a busy machine.
		next, report := r.Candidate(t.Context(), s, old, Gate{Module: versionGuest(t, c.plan), Replay: recorded, Timeout: time.Second})
		if next != nil || steps(report) != c.steps || report.Refused.Code != codeTimeout || len(r.Stats().Plugins) != 1 {
			t.Errorf("%s: %s %+v", c.plan, steps(report), report.Refused)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if next, report := r.Candidate(ctx, s, old, Gate{Module: versionGuest(t, "ehnew")}); next != nil || steps(report) != "fetch!" || report.Refused.Code != codeCancelled {
		t.Errorf("%s %+v", steps(report), report.Refused)
	}
}

func TestPermissions(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LANG", "C")
	all := func(s *Spec) {
		s.Allow = Allow{HTTP: []string{"https://api.example.com", "http://127.0.0.1:1"}, Env: []string{"LANG", "NOT_SET_ANYWHERE"},
			FS: []Mount{{Path: dir, At: "/data", Write: true}, {Path: dir, At: "/ro"}}}
		s.Secrets = []Secret{{Name: "db", Value: "12345678"}, {Name: "llm_key", Value: "12345678", Header: "Authorization"}}
	}
	for _, c := range []struct {
		source, want string
		change       func(*Spec)
	}{
		{"version.wasm", "", nil},
		{"version.wasm", "http https://api.example.com, http http://127.0.0.1:1, fs /data (rw), fs /ro, env LANG, secret db, secret llm_key", all},
		{"described.wasm", "http https://api.example.com, http http://127.0.0.1:1, secret llm_key", all},
		{"described.wasm", "http http://127.0.0.1:1", func(s *Spec) { s.Allow.HTTP = []string{"http://127.0.0.1:1", "https://example.org"} }},
		{"state.wasm", "", all},
		{"command.wasm", "env LANG", all},
		{"files.wasm", "fs /data (rw), fs /ro", all},
		{"version.wasm", "http *", func(s *Spec) { s.Allow.HTTP = []string{"*"} }},
	} {
		s := Spec{Name: "guest", Source: c.source, Dir: guests}
		if c.change != nil {
			c.change(&s)
		}
		if got := strings.Join(loadWith(t, Config{AllowAnyHost: true}, s).Permissions(), ", "); got != c.want {
			t.Errorf("%s: %s; want %s", c.source, got, c.want)
		}
	}
	for hosts, want := range map[string]string{
		`[]`:                                  "",
		`["*"]`:                               "http https://api.example.com, http https://*.example.org",
		`["api.example.com","a.example.org"]`: "http https://api.example.com, http https://*.example.org (only a.example.org)",
		`["*.example.org"]`:                   "http https://*.example.org (only *.example.org)",
	} {
		write(t, dir+"/m.json", `{"wasm":[{"path":"`+abs(t, guests+"/version.wasm")+`"}],"allowed_hosts":`+hosts+`}`)
		p := load(t, Spec{Source: "m.json", Dir: dir, Allow: Allow{HTTP: []string{"https://api.example.com", "https://*.example.org"}}})
		if got := strings.Join(p.Permissions(), ", "); got != want {
			t.Errorf("%s: %s; want %s", hosts, got, want)
		}
	}
}

func TestGrownPermissions(t *testing.T) {
	http := func(origin, hosts string) permission {
		o, err := parseOrigin(origin)
		if err != nil {
			t.Fatal(err)
		}
		return permission{kind: "http", origin: o, hosts: hosts}
	}
	fs := func(path, at string, write bool) permission {
		return permission{kind: "fs", path: path, name: at, write: write}
	}
	for _, c := range []struct {
		old, next []permission
		grown     string
	}{
		{nil, nil, ""},
		{nil, []permission{http("https://a.example.com", "")}, "http https://a.example.com"},
		{[]permission{http("https://*.example.com", "")}, []permission{http("https://a.example.com", ""), http("https://*.b.example.com", "")}, ""},
		{[]permission{http("https://a.example.com", "")}, []permission{http("https://*.example.com", "")}, "http https://*.example.com"},
		{[]permission{http("https://a.example.com", "")}, []permission{http("http://a.example.com", "")}, "http http://a.example.com"},
		{[]permission{http("https://a.example.com", "")}, []permission{http("https://a.example.com:444", "")}, "http https://a.example.com:444"},
		{[]permission{http("*", "")}, []permission{http("https://a.example.com", ""), http("*", "")}, ""},
		{[]permission{http("https://a.example.com", "")}, []permission{http("*", "")}, "http *"},
		{[]permission{http("https://*.example.com", "a.example.com")}, []permission{http("https://*.example.com", "b.example.com")}, "http https://*.example.com (only b.example.com)"},
		{[]permission{http("https://*.example.com", "*.example.com")}, []permission{http("https://*.example.com", "b.example.com"), http("https://b.example.com", "")}, ""},
		{[]permission{http("https://*.example.com", "a.example.com")}, []permission{http("https://*.example.com", "")}, "http https://*.example.com"},
		{[]permission{fs("/a", "/data", false)}, []permission{fs("/a", "/data", true)}, "fs /data (rw)"},
		{[]permission{fs("/a", "/data", true)}, []permission{fs("/a", "/data", false)}, ""},
		{[]permission{fs("/a", "/data", false)}, []permission{fs("/b", "/data", false)}, "fs /data"},
		{[]permission{{kind: "env", name: "A"}}, []permission{{kind: "env", name: "A"}, {kind: "secret", name: "A"}}, "secret A"},
	} {
		if got := strings.Join(grown(c.old, c.next), ", "); got != c.grown {
			t.Errorf("%v to %v: %q; want %q", c.old, c.next, got, c.grown)
		}
	}
}

// TestPermissionsGrow: the workflow grants the same, and the new module would
// make use of more of it.
func TestPermissionsGrow(t *testing.T) {
	r := newTestRuntime(t, Config{})
	s := Spec{Name: "guest", Source: "described.wasm", Dir: guests, Allow: Allow{HTTP: []string{"http://127.0.0.1:1", "https://example.org"}}}
	old := loadVersion(t, r, s)
	next, report := r.Candidate(t.Context(), s, old, Gate{Module: versionGuest(t, "eh")})
	if next != nil || steps(report) != "fetch check compile permissions!" || report.Refused.Code != codeGrow ||
		report.Refused.Message != "the new version may do what the current one may not: http https://example.org; if that is meant, swap with --accept-permissions" {
		t.Errorf("%s %+v", steps(report), report.Refused)
	}
	next, report = r.Candidate(t.Context(), s, old, Gate{Module: versionGuest(t, "eh"), AcceptPermissions: true})
	if next == nil || report.Steps[3].Text != "http http://127.0.0.1:1, http https://example.org; more than before, accepted: http https://example.org" {
		t.Fatalf("%+v", report)
	}
	// The other way round it shrinks.
	if back, report := r.Candidate(t.Context(), s, next, Gate{Module: read(t, "described.wasm")}); back == nil {
		t.Errorf("%+v", report.Refused)
	}
	// A rollback goes back to what was allowed before.
	v := r.NewVersions(next, VersionOptions{})
	defer v.Close(context.Background())
	v.Swap(old, FromSource)
	if report, err := v.Rollback(t.Context()); err != nil || report.Refused != nil || len(v.Current().Permissions()) != 2 {
		t.Error(report, err)
	}
}

// TestTraceAndExchanges: what telemetry gets to know, and what it adds.
func TestTraceAndExchanges(t *testing.T) {
	parent := func(n int) string { return fmt.Sprintf("00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333%d-01", n) }
	asked := 0
	var seen []string
	server, other := twoServers(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.URL.Path+" "+r.Header.Get("Traceparent"))
		fmt.Fprint(w, "hello")
	})
	var told []string
	var from []Meta
	cfg := Config{
		Trace: func(m Meta) string {
			if m.RunID == "" {
				return ""
			}
			asked++
			return parent(asked)
		},
		OnHTTP: func(m Meta, x HTTPExchange) {
			if x.Start.IsZero() || x.End.Before(x.Start) {
				t.Errorf("%+v", x)
			}
			from = append(from, m)
			told = append(told, fmt.Sprintf("%s %s %s %d %q %d %d", x.TraceParent, x.Method, strings.ReplaceAll(x.URL, server.URL, "S"), x.Status, x.Code, x.Sent, x.Received))
		},
	}
	s := guest("probe")
	s.Allow.HTTP, s.Config = []string{server.URL, other.URL}, map[string]string{"url": server.URL + "/post"}
	s.Secrets = []Secret{{Name: "key", Value: "hidden-in-path"}}
	p := loadWith(t, cfg, s)
	meta := Meta{RunID: "run", Node: "node", Attempt: 2}
	call := func(m Meta, function, input string) error {
		_, err := p.Call(t.Context(), Call{Function: function, Input: []byte(input), Meta: m})
		return err
	}
	for _, c := range []struct {
		meta            Meta
		function, input string
	}{
		{meta, "http", `{"url":"` + server.URL + `/a?key=secret"}`},
		{Meta{}, "http", `{"url":"` + server.URL + `/b"}`},
		{meta, "http", `{"url":"` + server.URL + `/c","headers":{"TraceParent":"mine"}}`},
		{meta, "post", "12345678"},
		{meta, "http", `{"url":"` + server.URL + `/hidden-in-path"}`},
	} {
		if err := call(c.meta, c.function, c.input); err != nil {
			t.Fatal(err)
		}
	}
	other.Close()
	if err := call(meta, "http", `{"url":"`+other.URL+`/gone"}`); code(err) != codeHTTPFailed {
		t.Error(err)
	}
	if err := call(meta, "http", `{"url":"https://example.com/denied"}`); code(err) != codeDenied {
		t.Error(err)
	}
	if want := []string{"/a " + parent(1), "/b ", "/c mine", "/post " + parent(2), "/hidden-in-path " + parent(3)}; !slices.Equal(seen, want) {
		t.Errorf("%q", seen)
	}
	if want := []string{parent(1) + ` GET S/a 200 "" 0 5`, ` GET S/b 200 "" 0 5`, ` GET S/c 200 "" 0 5`, parent(2) + ` POST S/post 200 "" 8 5`, parent(3) + ` GET S/*** 200 "" 0 5`,
		parent(4) + ` GET ` + other.URL + `/gone 0 "http_failed" 0 0`}; !slices.Equal(told, want) || from[0] != meta {
		t.Errorf("%q", told)
	}
}
