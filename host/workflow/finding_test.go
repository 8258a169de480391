package workflow_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wasmhost/host/workflow"
)

func TestFormat(t *testing.T) {
	source := "a = 1\n\tkey = \"wärt\x1b[31m\"\n"
	f := []workflow.Finding{
		{File: "w.toml", Line: 2, Col: 8, Severity: workflow.Error, Code: "bad_value", Message: "wrong", Hint: "do better"},
		{File: "w.toml", Line: 9, Col: 1, Severity: workflow.Warning, Code: "syntax", Message: "beyond the file"},
		{File: "gone.toml", Line: 1, Col: 1, Severity: workflow.Error, Code: "missing_file", Message: "there is no file gone.toml"},
	}
	var out bytes.Buffer
	workflow.Format(&out, f, func(file string) []byte {
		if file == "w.toml" {
			return []byte(source)
		}
		return nil
	}, false)
	want := "w.toml:2:8: wrong [bad_value]\n    \tkey = \"wärt\uFFFD[31m\"\n    \t      ^\n    = do better\n" +
		"w.toml:9:1: warning: beyond the file [syntax]\n" +
		"gone.toml:1:1: there is no file gone.toml [missing_file]\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	workflow.Format(&out, f[:1], func(string) []byte { return []byte(source) }, true)
	if !strings.Contains(out.String(), "\x1b[1;31m^\x1b[0m") {
		t.Errorf("no color: %q", out.String())
	}
}

// validate exits 8 when nothing but modules is wrong.
func TestIsModule(t *testing.T) {
	for code, want := range map[string]bool{"bad_module": true, "unsupported_module": true, "digest_mismatch": true, "bad_signature": true,
		"missing_export": false, "missing_file": false, "unknown_key": false, "nonsense": false} {
		if got := (workflow.Finding{Code: code}).IsModule(); got != want {
			t.Errorf("%s: %v", code, got)
		}
	}
}

func TestOptions(t *testing.T) {
	read := func(text string, o workflow.Options) string {
		_, findings := workflow.Parse(context.Background(), filepath.Join(t.TempDir(), "o.toml"), []byte(text), o)
		return fmt.Sprint(findings)
	}
	const any = "[plugins.p]\nsource = 'builtin:x'\nallow = { http = ['https://*', '*'] }\n[nodes.a]\nplugin = 'p'\n"
	if got := read(any, workflow.Options{}); !strings.Contains(got, "would allow every host") {
		t.Errorf("any host: %s", got)
	}
	if got := read(any, workflow.Options{AllowAnyHost: true}); got != "[]" {
		t.Errorf("any host, allowed: %s", got)
	}
	const secret = "[secrets]\ns = { env = 'S' }\n[plugins.p]\nsource = 'builtin:x'\nallow = { http = ['https://*', 'https://example.com'], secrets = [{ name = 's', header = 'X-Key'%s }] }\n[nodes.a]\nplugin = 'p'\n"
	for to, want := range map[string]string{
		"":                                    "would be sent to any host",
		", to = ['https://example.com']":      "[]",
		", to = ['https://example.com', '*']": "would be sent to any host",
		", to = [{ env = 'ANY', default = 'x' }]": "would be sent to any host",
	} {
		o := workflow.Options{AllowAnyHost: true, Getenv: func(name string) (string, bool) { return "https://*:8443", name == "ANY" }}
		if got := read(fmt.Sprintf(secret, strings.ReplaceAll(to, "'x'", "'https://example.com'")), o); !strings.Contains(got, want) {
			t.Errorf("a secret%s: %s", to, got)
		}
	}
	const typo = "[plugins.p]\nsource = 'builtin:uppercas'\n[nodes.a]\nplugin = 'p'\nfunction = 'whatever'\n"
	if got := read(typo, workflow.Options{}); got != "[]" {
		t.Errorf("nothing is known of modules: %s", got)
	}
	if got := read(typo, workflow.Options{Builtins: []string{"uppercase"}}); !strings.Contains(got, `did you mean "uppercase"?`) {
		t.Errorf("builtins are known: %s", got)
	}
	_, findings := workflow.Load(context.Background(), filepath.Join(t.TempDir(), "gone.toml"), workflow.Options{})
	if len(findings) != 1 || findings[0].Code != "missing_file" {
		t.Errorf("no file: %v", findings)
	}
	_, findings = workflow.Load(context.Background(), t.TempDir(), workflow.Options{})
	if len(findings) != 1 || findings[0].Code != "unreadable" || !strings.Contains(findings[0].Message, "is a folder") {
		t.Errorf("a folder: %v", findings)
	}
}

// Names that are far away are found upstream, and not found where they are not,
// whatever the size of the file.
func TestUpstreamFarAway(t *testing.T) {
	const n = 5_000
	var b strings.Builder
	b.WriteString("[plugins.p]\nsource = \"builtin:uppercase\"\n")
	// Two chains side by side; every node names nodes far up in its own, and one
	// names a node of the other.
	for i := range n {
		for _, chain := range []string{"a", "b"} {
			fmt.Fprintf(&b, "[nodes.%s%d]\nplugin = \"p\"\n", chain, i)
			if i > 0 {
				fmt.Fprintf(&b, "needs = [\"%s%d\"]\nwith = \"{{ nodes.%s0.output }} {{ nodes.%s%d.output }}\"\n", chain, i-1, chain, chain, i/2)
			}
		}
	}
	b.WriteString("[nodes.wrong]\nplugin = \"p\"\nneeds = [\"a4999\"]\nwith = \"{{ nodes.b7.output }}\"\n")
	start := time.Now()
	_, findings := workflow.Parse(context.Background(), "far.toml", []byte(b.String()), workflow.Options{Inspector: builtins})
	if len(findings) != 1 || findings[0].Code != "not_upstream" || !strings.Contains(findings[0].Message, `node "b7" is not upstream of "wrong"`) {
		t.Errorf("%d findings: %.300v", len(findings), findings)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

// A chain of many nodes, in whatever order, costs no stack and finds its circle.
func TestLongChain(t *testing.T) {
	const n = 50_000
	var b strings.Builder
	b.WriteString("[plugins.p]\nsource = \"builtin:uppercase\"\n")
	for i := range n {
		fmt.Fprintf(&b, "[nodes.n%d]\nplugin = \"p\"\nneeds = [\"n%d\"]\n", i, (i+1)%n)
	}
	_, findings := workflow.Parse(context.Background(), "chain.toml", []byte(b.String()), workflow.Options{})
	if len(findings) != 1 || findings[0].Code != "cycle" || !strings.Contains(findings[0].Message, "(49990 more)") {
		t.Errorf("%d findings: %.300v", len(findings), findings)
	}
}

// Many mistakes cost no more than many nodes.
func TestManyMistakes(t *testing.T) {
	var b strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&b, "[nodes.n%d]\nplugin = \"plugin%d\"\nneeds = [\"x%d\"]\n", i, i, i)
	}
	start := time.Now()
	_, findings := workflow.Parse(context.Background(), "many.toml", []byte(b.String()), workflow.Options{})
	if len(findings) != 40_000 {
		t.Errorf("%d findings", len(findings))
	}
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("took %v", took)
	}
}
