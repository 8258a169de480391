// Package wasm_test builds the example plugins from their sources and gives all
// of them the same task, on our host and on extism/go-sdk.
package wasm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	extism "github.com/extism/go-sdk"
	"github.com/tetratelabs/wazero"

	"wasmhost/host"
	"wasmhost/host/event"
)

// languages are the folders beside this file.
var languages = []struct {
	folder string
	needs  []tool
	// inPlace is set where the build does not work on a copy of the folder.
	inPlace bool
}{
	{folder: "go", inPlace: true}, // a package of the module around it
	{folder: "gopdk"},
	{folder: "c", needs: []tool{{"clang", "apt install clang"}, {"wasm-ld", "apt install lld"}}},
	{folder: "assemblyscript", needs: []tool{{"npm", "apt install npm, or nodejs.org"}, {"node", "apt install nodejs, or nodejs.org"}}},
	{folder: "wat", needs: []tool{{"wat2wasm", "apt install wabt"}}},
}

// tool is a program that a build needs, and where it comes from.
type tool struct{ command, from string }

// tasks are inputs with their outputs, the same in every language.
var tasks = []struct{ name, input, want string }{
	{"a word", "hello", `{"lines":1,"words":1,"bytes":5}`},
	{"lines", "one two\nthree\n", `{"lines":2,"words":3,"bytes":14}`},
	{"every space", "\t a\vb\fc\r\n\n d ", `{"lines":3,"words":4,"bytes":13}`},
	{"spaces only", "  \n", `{"lines":1,"words":0,"bytes":3}`},
	{"UTF-8", "Grüße, 世界", `{"lines":1,"words":2,"bytes":15}`},
	{"not UTF-8", "\xff\xfe \x00", `{"lines":1,"words":2,"bytes":4}`},
	{"every remainder of 8", strings.Repeat("x", 63), `{"lines":1,"words":1,"bytes":63}`},
	{"much", strings.Repeat("seven ch\n", 20_000), `{"lines":20000,"words":40000,"bytes":180000}`},
}

// TestSameTask: every language gives the same answers, on our host as on the
// one that the plugins' ABI comes from.
func TestSameTask(t *testing.T) {
	h, err := host.Open(t.Context(), host.Config{CacheDir: "-"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close(context.Background()) })
	for _, l := range languages {
		t.Run(l.folder, func(t *testing.T) {
			for _, need := range l.needs {
				if _, err := exec.LookPath(need.command); err != nil {
					missing := "NOT TESTED: examples/wasm/" + l.folder + " needs " + need.command + " (" + need.from + ")"
					if os.Getenv("CI") != "" {
						t.Fatal(missing)
					}
					t.Skip(missing)
				}
			}
			file := build(t, l.folder, l.inPlace)
			for _, on := range []struct {
				host string
				call caller
			}{{"host", openHost(t, h, file)}, {"extism", openExtism(t, file)}} {
				for _, task := range tasks {
					out, failed := on.call(task.input)
					if failed != nil {
						t.Errorf("%s on %s: %s", task.name, on.host, failed)
					} else if out != task.want {
						t.Errorf("%s on %s: got %s, want %s", task.name, on.host, out, task.want)
					}
				}
				out, failed := on.call("")
				want := failure{Class: "permanent", Code: "empty", Message: "there is no text to count"}
				if failed == nil || *failed != want {
					t.Errorf("no text on %s: output %q, failure %v, want %v", on.host, out, failed, want)
				}
			}
		})
	}
}

// failure is an error as the plugin told it.
type failure struct{ Class, Code, Message string }

// caller is one call of `run` on some host.
type caller func(input string) (output string, failed *failure)

// openHost loads the module on our host, the way `host call` does.
func openHost(t *testing.T, h *host.Host, file string) caller {
	t.Helper()
	p, err := h.Plugin(t.Context(), host.PluginOptions{Source: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(context.Background()) })
	return func(input string) (string, *failure) {
		r := p.Call(t.Context(), "run", event.Text(input), time.Minute)
		if e := r.Error; e != nil {
			return "", &failure{e.Class, e.Code, e.Message}
		}
		return string(r.Output.JSON()), nil
	}
}

// openExtism makes an instance under extism/go-sdk, the reference.
func openExtism(t *testing.T, file string) caller {
	t.Helper()
	p, err := extism.NewPlugin(t.Context(), extism.Manifest{
		Wasm: []extism.Wasm{extism.WasmFile{Path: file}}, Timeout: 60_000,
	}, extism.PluginConfig{EnableWasi: true, ModuleConfig: wazero.NewModuleConfig().WithSysWalltime().WithSysNanotime()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(context.Background()) })
	return func(input string) (string, *failure) {
		code, out, err := p.Call("run", []byte(input))
		if code == 0 && err == nil {
			return string(out), nil
		}
		told := &failure{Message: fmt.Sprintf("code %d, error %v", code, err)}
		if err != nil {
			_ = json.Unmarshal([]byte(err.Error()), told) // what is no JSON stays as it is
		}
		return "", told
	}
}

// build runs the folder's build.sh and returns the module's file.
func build(t *testing.T, folder string, inPlace bool) string {
	t.Helper()
	temp := t.TempDir()
	source, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	if inPlace {
		copyFolder(t, source, t.TempDir()) // only so that go test knows what its cached answer depends on
	} else {
		copied := filepath.Join(temp, folder)
		if err := os.MkdirAll(copied, 0o755); err != nil {
			t.Fatal(err)
		}
		copyFolder(t, source, copied)
		source = copied
	}
	out := filepath.Join(temp, "count.wasm")
	cmd := exec.CommandContext(t.Context(), filepath.Join(source, "build.sh"), out)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build.sh of %s: %v\n%s", folder, err, said)
	}
	info, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d bytes", folder, info.Size())
	return out
}

// copyFolder copies sources: what an earlier build left behind stays.
func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		source, target := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		switch {
		case e.Name() == "node_modules" || e.Name() == "build":
		case e.IsDir():
			if err := os.Mkdir(target, 0o755); err != nil {
				t.Fatal(err)
			}
			copyFolder(t, source, target)
		default:
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(source)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(target, content, info.Mode()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
