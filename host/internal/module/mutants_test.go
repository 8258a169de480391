package module

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
)

// survive puts bytes, whatever they are, through all that a host does with a
// module before it runs, and returns what became of them.
//
// Nothing may panic but the compiler, behind its recover; refusing must not
// take memory; compiling must not take longer than a second; and preparing must
// not make a bad module good or a good one bad.
func survive(t testing.TB, b []byte) (fate string, took time.Duration) {
	var before, after runtime.MemStats
	if len(b) > 64<<10 {
		b = b[:64<<10]
	}
	const watch = 64 // bytes of memory for each byte of the module, and 3 MiB
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	runtime.ReadMemStats(&before)
	begin := threadTime()
	p, err := Prepare(b, Options{MemoryPages: 1024, TableElements: 1_000_000})
	if took := threadTime() - begin; took > 500*time.Millisecond {
		t.Errorf("%v to prepare %d bytes: %v", took, len(b), err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 3<<20+uint64(len(b))*watch {
		t.Errorf("%d bytes of memory for a module of %d: %v", got, len(b), err)
	}
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(b) {
			t.Errorf("refused by %v", err)
		}
		return string(e.Kind), 0
	}
	begin = threadTime()
	plain := compiles(b)
	took = threadTime() - begin
	begin = threadTime()
	prepared := compiles(p.Bytes)
	took = max(took, threadTime()-begin)
	if plain != nil && strings.Contains(plain.Error(), "custom section") {
		// wazero cannot read an empty custom section at the end of a file;
		// preparation leaves those out.
		return "invalid", took
	}
	if (plain == nil) != (prepared == nil) {
		t.Errorf("plain: %v; prepared: %v", plain, prepared)
	}
	if plain != nil {
		return "invalid", took
	}
	return "good", took
}

func compiles(b []byte) error {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(allFeatures))
	defer rt.Close(ctx)
	_, err := compile(ctx, rt, b)
	return err
}

// seeds are modules to make mutants of.
func seeds(t testing.TB) (all [][]byte) {
	for _, dir := range []string{"v2", "tail-call", "extended-const"} {
		files, _ := filepath.Glob(filepath.Join(wazeroDir(), "internal/integration_test/spectest", dir, "testdata/*.wasm"))
		for i, f := range files {
			if st, err := os.Stat(f); err == nil && st.Size() < 64<<10 && i%7 == 0 {
				all = append(all, readFile(t, f))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(bombs)) {
		all = append(all, bombs[name](1000), bombs[name](10_000))
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		all = append(all, (&generator{b: randomBytes(r, 2000)}).module())
	}
	return all
}

func randomBytes(r *rand.Rand, most int) []byte {
	b := make([]byte, r.IntN(most))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// mutate changes a module in a few places.
func mutate(r *rand.Rand, from [][]byte) []byte {
	b := bytes.Clone(from[r.IntN(len(from))])
	for range 1 + r.IntN(1+r.IntN(4)) {
		if len(b) == 0 {
			return b
		}
		i := r.IntN(len(b))
		switch max(0, r.IntN(18)-9) { // most keep the length, and so the structure
		case 0, 1, 2:
			b[i] = byte(r.Uint32())
		case 3:
			b[i] ^= 1 << r.IntN(8)
		case 4: // a number, up or down
			b[i] += byte(1 - 2*r.IntN(2))
		case 5: // a large count
			b = slices.Concat(b[:i], []byte{0xff, 0xff, 0xff, byte(r.IntN(128))}, b[i:])
		case 6: // a part again
			j := min(len(b), i+r.IntN(40))
			b = slices.Concat(b[:j], b[i:j], b[j:])
		case 7: // a part away
			j := min(len(b), i+r.IntN(20))
			b = slices.Concat(b[:i], b[j:])
		case 8: // a part of another
			o := from[r.IntN(len(from))]
			k := r.IntN(len(o) + 1)
			b = slices.Concat(b[:i], o[k:min(len(o), k+r.IntN(60))], b[i:])
		}
	}
	return b
}

// TestMutants puts mutants of modules through decoder and compiler.
// MODULE_MUTANTS holds how many, MODULE_SEED where to begin; the campaign takes
// a million.
func TestMutants(t *testing.T) {
	n, seed := 1500, uint64(os.Getpid())
	if testing.Short() {
		n = 200
	}
	if v, err := strconv.Atoi(os.Getenv("MODULE_MUTANTS")); err == nil {
		n = v
	}
	if v, err := strconv.ParseUint(os.Getenv("MODULE_SEED"), 10, 64); err == nil {
		seed = v
	}
	from := seeds(t)
	fates := map[string]int{}
	var worst time.Duration
	r := rand.New(rand.NewPCG(seed, 2))
	for i := range n {
		b := mutate(r, from)
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("panic: %v", p)
				}
			}()
			fate, took := survive(t, b)
			fates[fate]++
			if took > worst {
				worst = took
			}
			if took > time.Second {
				// A busy machine is no reason: the better of two counts.
				info, _ := Check(b, Limits{})
				t.Logf("mutant %d: %v for %d bytes, estimated %d ms; once more", i, took, len(b), info.CompileMillis)
				if _, took = survive(t, b); took > time.Second {
					t.Errorf("%v to compile %d bytes", took, len(b))
				}
			}
		}()
		if t.Failed() {
			name := filepath.Join(os.TempDir(), "mutant.wasm")
			_ = os.WriteFile(name, b, 0o600)
			t.Fatalf("mutant %d of seed %d, kept in %s", i, seed, name)
		}
	}
	t.Logf("%d mutants: %v; slowest to compile %v", n, fates, worst)
}

// FuzzPrepare is the same for the fuzzing engine to drive.
func FuzzPrepare(f *testing.F) {
	for _, b := range [][]byte{loopModule(), bodyWith(opLocalGet, 0, 0x1a), with(custom("name", 1, 3, 1, 0, 0))} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, took := survive(t, b); took > 5*time.Second {
			t.Errorf("%v to compile", took)
		}
	})
}

// FuzzReader: numbers are read as they were written, and never beyond the end.
func FuzzReader(f *testing.F) {
	f.Add(uint32(300), int64(-5), []byte{0x80, 0x80})
	f.Fuzz(func(t *testing.T, u uint32, s int64, b []byte) {
		w := appendSigned(appendU32(nil, u), s)
		r := reader{b: w, end: len(w)}
		if got := r.u32(); got != u || r.err != nil {
			t.Errorf("%d became %d, %v", u, got, r.err)
		}
		if got := r.signed(64); got != s || r.err != nil || r.left() != 0 {
			t.Errorf("%d became %d, %v", s, got, r.err)
		}
		for _, bits := range []uint{32, 33} {
			w = appendSigned(nil, s)
			r = reader{b: w, end: len(w)}
			fits := s>>(bits-1) == 0 || s>>(bits-1) == -1
			if got := r.signed(bits); fits != (r.err == nil) || fits && got != s {
				t.Errorf("%d in %d bits became %d, %v", s, bits, got, r.err)
			}
		}
		r = reader{b: b, end: len(b)}
		for r.err == nil {
			r.u32()
			r.signed(33)
			r.name(10)
		}
		if r.pos != len(b) {
			t.Errorf("stopped at %d of %d", r.pos, len(b))
		}
	})
}
