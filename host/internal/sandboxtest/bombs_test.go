package sandboxtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
)

// The sections of a module.
const (
	sectionCustom = iota
	sectionType
	sectionImport
	sectionFunction
	sectionTable
	sectionMemory
	sectionGlobal
	sectionExport
	sectionStart
	sectionElement
	sectionCode
	sectionData
	sectionDataCount
)

func leb(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

func section(id byte, contents ...[]byte) []byte {
	all := bytes.Join(contents, nil)
	return append(append([]byte{id}, leb(len(all))...), all...)
}

func wasm(sections ...[]byte) []byte {
	return append([]byte("\x00asm\x01\x00\x00\x00"), bytes.Join(sections, nil)...)
}

func again(n int, b ...byte) []byte { return bytes.Repeat(b, n) }

// program is a module with an export run of that code, which has one local.
func program(code ...[]byte) []byte {
	body := append([]byte{1, 1, 0x7f}, bytes.Join(code, nil)...)
	body = append(body, 0x0b)
	return wasm(section(sectionType, []byte{1, 0x60, 0, 0}), section(sectionFunction, []byte{1, 0}),
		section(sectionExport, []byte{1, 3}, []byte("run"), []byte{0, 0}), section(sectionCode, []byte{1}, leb(len(body)), body))
}

// functions is a module of n functions of that code; the first is run.
func functions(n int, code ...byte) []byte {
	body := append([]byte{1, 1, 0x7f}, append(code, 0x0b)...)
	one := append(leb(len(body)), body...)
	return wasm(section(sectionType, []byte{1, 0x60, 0, 0}), section(sectionFunction, leb(n), again(n, 0)),
		section(sectionExport, []byte{1, 3}, []byte("run"), []byte{0, 0}), section(sectionCode, leb(n), again(n, one...)))
}

const most = 1<<32 - 1

// TestModulesThatAttackTheHost: decode bombs in every section and the name
// section, and code that compilers are slow at. Each is refused, or loaded, in
// time, while the rest of the process goes on; and takes no more memory than
// its size allows.
func TestModulesThatAttackTheHost(t *testing.T) {
	huge := leb(most)
	name := func(contents ...[]byte) []byte {
		return wasm(section(sectionCustom, append([][]byte{{4}, []byte("name")}, contents...)...))
	}
	local, br, block, loop, end := []byte{0x20, 0}, []byte{0x0d, 0}, []byte{0x02, 0x40}, []byte{0x03, 0x40}, []byte{0x0b}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	// What is taken is taken; "" is a module that is loaded and called.
	for _, c := range []struct {
		name, code string
		module     []byte
	}{
		{"types", "bad_module", wasm(section(sectionType, huge))},
		{"parameters", "bad_module", wasm(section(sectionType, []byte{1, 0x60}, huge))},
		{"results", "bad_module", wasm(section(sectionType, []byte{1, 0x60, 0}, huge))},
		{"imports", "bad_module", wasm(section(sectionImport, huge))},
		{"import names", "bad_module", wasm(section(sectionImport, []byte{1}, huge))},
		{"functions", "bad_module", wasm(section(sectionFunction, huge))},
		{"tables", "bad_module", wasm(section(sectionTable, huge))},
		{"table size", "table_limit", wasm(section(sectionTable, []byte{1, 0x70, 0}, huge))},
		{"memories", "unsupported_module", wasm(section(sectionMemory, huge))},
		{"memory size", "bad_module", wasm(section(sectionMemory, []byte{1, 0}, leb(65536)))},
		{"globals", "bad_module", wasm(section(sectionGlobal, huge))},
		{"exports", "bad_module", wasm(section(sectionExport, huge))},
		{"elements", "bad_module", wasm(section(sectionElement, huge))},
		{"element items", "bad_module", wasm(section(sectionElement, []byte{1, 1, 0}, huge))},
		{"bodies", "bad_module", wasm(section(sectionCode, huge))},
		{"body size", "bad_module", wasm(section(sectionType, []byte{1, 0x60, 0, 0}), section(sectionFunction, []byte{1, 0}), section(sectionCode, []byte{1}, huge))},
		{"locals", "bad_module", wasm(section(sectionType, []byte{1, 0x60, 0, 0}), section(sectionFunction, []byte{1, 0}), section(sectionCode, []byte{1, 8, 1}, huge, []byte{0x7f, 0x0b}))},
		{"data", "bad_module", wasm(section(sectionData, huge))},
		{"data size", "bad_module", wasm(section(sectionData, []byte{1, 1}, huge))},
		{"data count", "bad_module", wasm(section(sectionDataCount, huge))},
		{"section size", "bad_module", append(wasm([]byte{sectionType}), huge...)},
		{"start", "bad_module", wasm(section(sectionStart, huge))},
		{"custom section name", "bad_module", wasm(section(sectionCustom, huge))},
		{"module name", "bad_module", name([]byte{0, 5}, huge)},
		{"function names", "bad_module", name([]byte{1, 5}, huge)},
		{"local names", "bad_module", name([]byte{2, 7, 1, 0}, huge)},
		{"name subsection", "bad_module", name([]byte{9}, huge)},
		{"custom sections", "bad_module", wasm(again(1<<20, section(sectionCustom, []byte{1, 'x'})...))},

		{"deep blocks", "bad_module", program(again(200_000, block...), again(200_000, end...))},
		{"deep blocks of 64 KiB", "bad_module", program(again(20_000, block...), again(20_000, end...))},
		{"the deepest blocks that are taken", "", program(again(1990, block...), again(1990, end...))},
		{"deep loops", "bad_module", program(again(100_000, join(loop, local, br)...), again(100_000, end...))},
		{"branch table of two million", "bad_module", program(block, local, []byte{0x0e}, leb(2<<20), again(2<<20+1, 0), end)},
		{"branch table of 60,000", "bad_module", program(block, local, []byte{0x0e}, leb(60_000), again(60_000+1, 0), end)},
		{"branch table of 2,000", "", program(block, local, []byte{0x0e}, leb(2_000), again(2_000+1, 0), end)},
		{"function of 3 MB", "bad_module", program(again(3<<20/6, 0x20, 0, 0x20, 0, 0x6a, 0x1a))},
		{"function of 64 KiB", "", program(again(60<<10/6, 0x20, 0, 0x20, 0, 0x6a, 0x1a))},
		{"function of half a MB", "", program(again(500<<10/6, 0x20, 0, 0x20, 0, 0x6a, 0x1a))},
		{"a million functions", "bad_module", functions(1 << 20)},
		{"20,000 functions", "", functions(20_000, 0x20, 0, 0x1a)},
		{"20 MB of nothing", "bad_module", wasm(section(sectionCode, make([]byte, 20<<20)))},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bomb.wasm")
			write(t, path, c.module)
			// What is refused is refused in no time; what is compiled is compiled in
			// ten seconds, however large, and in one when it is small.
			allowed := 10 * time.Second
			switch {
			case c.code != "" && len(c.module) < 1<<20:
				allowed = 100 * time.Millisecond
			case c.code != "" || len(c.module) <= 64<<10:
				allowed = time.Second
			}
			watched(t, func() (overrun time.Duration) {
				for enough := time.Now().Add(100 * time.Millisecond); ; {
					overrun = max(overrun, timed(func() { bomb(t, path, c.code) })-allowed)
					if time.Now().After(enough) {
						return overrun
					}
				}
			})
		})
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// bomb loads a module that must be refused with code; or, without one, does
// what any other does.
func bomb(t *testing.T, path, code string) {
	rt := plugin.NewRuntime(plugin.Config{})
	defer rt.Close(context.Background())
	p, err := rt.Load(t.Context(), plugin.Spec{Name: "bomb", Source: path})
	if code != "" {
		if err := (answer{code: code, class: event.Permanent, text: `.`}).check(plugin.Answer{}, err); err != nil {
			t.Error(err)
		}
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	if err := (answer{}).check(p.Call(t.Context(), plugin.Call{})); err != nil {
		t.Error(err)
	}
}
