package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// program is one that is measured. Names of C files are patterns: below the
// folder of sources, "own:" below ours, "module:" below the test data of
// host/internal/module.
type program struct {
	name, what string
	files      []string
	without    []string // base names that the patterns find and that are left out
	flags      []string // $SOURCES and $OWN are the folders
}

var programs = []program{
	{name: "zlib", what: "zlib: deflate, inflate", flags: []string{"-I$SOURCES/zlib-1.2.13.dfsg"},
		files: []string{"own:zlib.c", "zlib-1.2.13.dfsg/*.c"}, without: []string{"gzclose.c", "gzlib.c", "gzread.c", "gzwrite.c"}},
	{name: "lz4", what: "LZ4: fast and thorough, unpack", flags: []string{"-I$SOURCES/lz4-1.9.4/lib"},
		files: []string{"own:lz4.c", "lz4-1.9.4/lib/lz4.c", "lz4-1.9.4/lib/lz4hc.c"}},
	{name: "cjson", what: "cJSON: parse, print", flags: []string{"-I$SOURCES/cJSON-1.7.15"},
		files: []string{"own:cjson.c", "cJSON-1.7.15/cJSON.c"}},
	{name: "sort", what: "quicksort, SHA-256", files: []string{"module:sort.c"}},
	{name: "lua", what: "the Lua interpreter",
		// Errors end the program; no seed but the same one; no clock.
		flags: []string{"-I$OWN", "-I$OWN/lua", "-I$SOURCES/lua-5.4.4/src", "-D_WASI_EMULATED_SIGNAL", "-DLUAI_THROW(L,c)=__builtin_trap()", "-DLUAI_TRY(L,c,a)={ a }",
			"-Dluai_jmpbuf=int", "-Dluai_makeseed(L)=1u", "-Dl_randomizePivot()=0u"},
		files: []string{"own:lua/run.c", "lua-5.4.4/src/l*.c"}, without: []string{"lua.c", "luac.c", "linit.c", "liolib.c", "loslib.c", "loadlib.c", "ldblib.c"}},
	{name: "recurse", what: "recursion: Fibonacci, Ackermann", files: []string{"module:recurse.c"}},
	{name: "tight", what: "tight arithmetic", files: []string{"module:tight.c"}},
	{name: "tight-simd", what: "tight arithmetic, with SIMD", files: []string{"module:tight.c"}, flags: []string{"-O3", "-msimd128"}},
	{name: "go", what: "Go: JSON, sort, regular expressions"},
}

// build makes all programs below dir, and returns the folder they are in.
func build(dir string) (modules string, err error) {
	sources := filepath.Join(dir, "sources")
	if err := fetch(sources); err != nil {
		return "", err
	}
	top, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w: start it inside the repository", err)
	}
	b := builder{sources: sources, own: filepath.Join(strings.TrimSpace(string(top)), "bench/metering/programs"),
		module: filepath.Join(strings.TrimSpace(string(top)), "host/internal/module/testdata/bench"), out: filepath.Join(dir, "modules")}
	if err := os.RemoveAll(b.out); err != nil {
		return "", err
	}
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return "", err
	}
	for _, p := range programs {
		if err := b.build(p); err != nil {
			return "", fmt.Errorf("building %s: %w", p.name, err)
		}
	}
	return b.out, nil
}

type builder struct{ sources, own, module, out string }

func (b *builder) build(p program) error {
	module := filepath.Join(b.out, p.name+".wasm")
	if p.files == nil {
		return command(filepath.Join(b.module, "prog"), []string{"GOOS=wasip1", "GOARCH=wasm"},
			"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-buildmode=c-shared", "-o", module, ".")
	}
	objects, err := os.MkdirTemp(b.out, "objects-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(objects)
	flags := []string{"--target=wasm32-wasi", "-O2", "-mbulk-memory", "-ftls-model=local-exec"}
	for _, f := range p.flags {
		flags = append(flags, strings.NewReplacer("$SOURCES", b.sources, "$OWN", b.own).Replace(f))
	}
	link := []string{"--target=wasm32-wasi", "-mexec-model=reactor", "-Wl,--strip-all", "-lwasi-emulated-signal", "-o", module}
	files, err := b.find(p)
	if err != nil {
		return err
	}
	// Compiling and linking are two steps, because clang runs a wasm-opt that it
	// happens to find when it links with -O.
	for i, file := range files {
		object := filepath.Join(objects, fmt.Sprint(i, ".o"))
		if err := command("", nil, "clang", append(append([]string{}, flags...), "-c", "-o", object, file)...); err != nil {
			return err
		}
		link = append(link, object)
	}
	return command("", nil, "clang", link...)
}

// find resolves a program's patterns.
func (b *builder) find(p program) (files []string, err error) {
	for _, pattern := range p.files {
		below, rest := b.sources, pattern
		if after, ok := strings.CutPrefix(pattern, "own:"); ok {
			below, rest = b.own, after
		} else if after, ok := strings.CutPrefix(pattern, "module:"); ok {
			below, rest = b.module, after
		}
		found, err := filepath.Glob(filepath.Join(below, rest))
		if err != nil || len(found) == 0 {
			return nil, fmt.Errorf("no %s in %s: %v", rest, below, err)
		}
	each:
		for _, f := range found {
			for _, w := range p.without {
				if filepath.Base(f) == w {
					continue each
				}
			}
			files = append(files, f)
		}
	}
	return files, nil
}

func command(dir string, env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}
