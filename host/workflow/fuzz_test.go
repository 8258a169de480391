package workflow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/rogpeppe/go-internal/txtar"

	"wasmhost/host/workflow"
)

// seeds are the workflows of all cases.
func seeds(f *testing.F) [][]byte {
	var all [][]byte
	files, _ := filepath.Glob("../../testdata/workflows/*.txtar")
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, archive.Files[0].Data)
	}
	text, err := os.ReadFile(example)
	if err != nil {
		f.Fatal(err)
	}
	return append(all, text, []byte("\ufeffname = 'x'\r\n[nodes.\"a\\u00e4\"]\r\n"), []byte("a.b.c = 1\n[a.b]\n[[a.c]]\n[[a.c.d]]\n"))
}

// FuzzParse: no text makes reading panic or hang, every finding has a known code
// and lies inside the file, and what the TOML library refuses is not accepted.
func FuzzParse(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 64<<10 {
			t.Skip()
		}
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		file := filepath.Join(dir, "fuzz.toml")
		plan, findings := workflow.Parse(ctx, file, text, workflow.Options{Inspector: builtins})
		if (plan == nil) != workflow.HasErrors(findings) {
			t.Fatalf("a plan: %v, with %v", plan != nil, findings)
		}
		lines := strings.Split(string(text), "\n")
		for _, f := range findings {
			if _, ok := workflow.Codes[f.Code]; !ok {
				t.Errorf("unknown code: %v", f)
			}
			if f.Message == "" || !utf8.ValidString(f.Message) && utf8.Valid(text) {
				t.Errorf("message %q", f.Message)
			}
			if f.File != file {
				continue
			}
			if f.Line < 1 || f.Line > len(lines) || f.Col < 1 || f.Col > utf8.RuneCountInString(lines[f.Line-1])+1 {
				t.Errorf("outside the file: %v", f)
			}
		}
		var out bytes.Buffer
		workflow.Format(&out, findings, func(string) []byte { return text }, false)
		var v map[string]any
		if err := toml.Unmarshal(text, &v); err != nil && plan != nil {
			t.Errorf("accepted what is no TOML: %v", err)
		}
	})
}

// FuzzExpression: no expression makes compiling or evaluating panic, hang or
// take much memory; what it gives is JSON.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		`nodes.a.output.x`, `{{`, `"{{"`, `filter(nodes.list.output, .n > 1)`, `reduce(1..9, #acc + #, 0)`, `let x = 1; x ?? 2`,
		`nodes.a.output?.b.c[1:2] ?? {"a": [1, 2.5]}`, `1 in [1] ? -2 : +3 ** 2`, `"a" matches "b" and not true or false`, `groupBy(nodes.list.output, .k)["b"][0]`,
		`sortBy(nodes.list.output, -.n) | map(.n) | sum()`, `string(run) + toJSON(input) + item`, `nodes.failed.error`, `if true { 1 } else { 2 }`, "`raw`", `1; 2`,
		`$env`, `#`, `::len("x")`, `nodes["a"]["output"]["x"]`, `0x10 + 1e3 + 1_000`, `b"x"`, `a.b()`, `nil?.x`, `{(1): 2}`, `[1, 2][0]`, `nodes.a.output.l[-1:]`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 4096 {
			t.Skip()
		}
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		tmpl, err := workflow.NewTemplate(source, place)
		if err == nil {
			v, err := tmpl.Render(ctx, scope())
			if err == nil && !jsonValid(v.JSON()) {
				t.Errorf("not JSON: %s", v.JSON())
			}
		}
		tmpl, err = workflow.NewTemplate("{{ "+source+" }}", place)
		if err != nil {
			return
		}
		start := time.Now()
		v, err := tmpl.Render(ctx, scope())
		if took := time.Since(start); took > 9*time.Second {
			t.Errorf("took %v", took)
		}
		if err == nil && !jsonValid(v.JSON()) {
			t.Errorf("not JSON: %s", v.JSON())
		}
	})
}

func jsonValid(text []byte) bool { return json.Valid(text) }
