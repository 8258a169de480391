// Package wasmhost_test holds the rules of the house: which package may import
// which, and which library has which door. They are policy: change the design
// first, then the table.
package wasmhost_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "wasmhost"

// mayImport lists, for every package outside of tests, what it may import of
// this module. A trailing /... means everything below.
var mayImport = map[string][]string{
	"resilience":              {},
	"pluginsdk":               {},
	"pluginsdk/...":           {"pluginsdk/..."},
	"host/event":              {},
	"host/internal/module":    {},
	"host/workflow":           {"resilience", "host/event"},
	"host/internal/plugin":    {"host/event", "host/internal/module"},
	"plugins":                 {},
	"plugins/...":             {"pluginsdk/..."},
	"host/internal/call":      {"host/workflow", "host/event", "resilience", "host/internal/plugin"},
	"host/internal/engine":    {"host/workflow", "host/event", "host/internal/call"},
	"host/internal/health":    {"host/workflow", "host/event", "host/internal/call"},
	"host/internal/journal":   {"host/event"},
	"host/internal/schedule":  {"host/event", "host/workflow"},
	"host/internal/alert":     {"host/event", "host/workflow"},
	"host/internal/telemetry": {"host/event"},
	"host/internal/server":    {"host/event"},
	// The pages are what a person sees of the server: its routes, not its API.
	"host/internal/server/pages": {"host/event", "host/internal/server"},
	"host/internal/enginetest":   {"host/...", "resilience"},
	"host/internal/torture":      {"host/..."},
	"host/internal/bench":        {"host/...", "resilience"},
	"host":                       {"host/...", "resilience", "plugins"},
	"cmd/host":                   {"host", "host/workflow", "host/event"},
	"bench/...":                  {"host/...", "resilience", "plugins", "bench/gotest"},
	"examples/wasm/...":          {"pluginsdk/..."},
	"examples/modelserver/...":   {"examples/modelserver/..."},
}

// doors lists the libraries that only one place may import, tests apart.
var doors = map[string][]string{
	"github.com/tetratelabs/wazero":         {"host/internal/plugin", "bench/..."},
	"github.com/extism/go-sdk":              {"host/internal/plugin", "bench/..."},
	"github.com/failsafe-go/failsafe-go":    {"resilience"},
	"github.com/urfave/cli":                 {"cmd/host"},
	"github.com/pelletier/go-toml":          {"host/workflow"},
	"github.com/santhosh-tekuri/jsonschema": {"host/workflow", "plugins/validate"},
	"github.com/invopop/jsonschema":         {"host/workflow"},
	"github.com/expr-lang/expr":             {"host/workflow", "plugins/transform"},
	"modernc.org":                           {"host/internal/journal"},
	"go.temporal.io":                        {"host/temporal"},
	"go.opentelemetry.io":                   {"host/internal/telemetry"},
	"github.com/prometheus":                 {"host/internal/telemetry"},
	"github.com/fsnotify/fsnotify":          {"cmd/host", "host/internal/plugin"},
	"github.com/robfig/cron":                {"host/workflow"},
	"aead.dev/minisign":                     {"host/workflow", "host/internal/plugin"},
	"github.com/chromedp":                   {"host/internal/server/pages/pagestest"},
	"github.com/rogpeppe/go-internal":       {},
	"go.uber.org/goleak":                    {},
	"pgregory.net/rapid":                    {},
	"github.com/google/go-cmp":              {},
}

func TestImports(t *testing.T) {
	for _, f := range goFiles(t) {
		if strings.HasSuffix(f.name, "_test.go") {
			continue
		}
		rules, ok := rule(mayImport, f.pkg)
		for _, path := range f.imports {
			if rest, inside := strings.CutPrefix(path, module+"/"); inside {
				if !ok {
					t.Errorf("%s: package %s is not in the table of deps_test.go", f.name, f.pkg)
					break
				}
				if !matches(rules, rest) {
					t.Errorf("%s: %s may not import %s", f.name, f.pkg, rest)
				}
			}
			for lib, who := range doors {
				if (path == lib || strings.HasPrefix(path, lib+"/")) && !matches(who, f.pkg) {
					t.Errorf("%s: only %v may import %s", f.name, who, lib)
				}
			}
		}
	}
}

// TestNoHelpers keeps packages named after nothing out of the house.
func TestNoHelpers(t *testing.T) {
	for _, f := range goFiles(t) {
		switch filepath.Base(f.pkg) {
		case "util", "utils", "common", "helper", "helpers", "misc", "shared":
			t.Errorf("%s: a package is named after its reason, not %q", f.name, filepath.Base(f.pkg))
		}
	}
}

type goFile struct {
	name, pkg string
	imports   []string
}

func goFiles(t *testing.T) []goFile {
	var files []goFile
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != "." && (name[0] == '.' || name == "testdata" || name == "node_modules") {
				return filepath.SkipDir
			}
			if path != "." {
				if nested, _ := filepath.Glob(filepath.Join(path, "go.mod")); nested != nil {
					return filepath.SkipDir
				}
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		f := goFile{name: path, pkg: filepath.ToSlash(filepath.Dir(path))}
		for _, spec := range file.Imports {
			p, _ := strconv.Unquote(spec.Path.Value)
			f.imports = append(f.imports, p)
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("only %d Go files found; the rules would hold for nothing", len(files))
	}
	return files
}

// rule is the entry of a package: its own, or of the nearest folder above that
// speaks for everything below.
func rule(table map[string][]string, pkg string) ([]string, bool) {
	if r, ok := table[pkg]; ok {
		return r, true
	}
	for dir := pkg; dir != "."; dir = filepath.ToSlash(filepath.Dir(dir)) {
		if r, ok := table[dir+"/..."]; ok {
			return r, true
		}
	}
	return nil, false
}

func matches(list []string, pkg string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		if below, ok := strings.CutSuffix(entry, "/..."); ok {
			return pkg == below || strings.HasPrefix(pkg, below+"/")
		}
		return pkg == entry
	})
}
