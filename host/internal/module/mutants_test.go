package module

import (
	"context"
	"errors"
	"fmt"
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

	"wasmhost/bench/gotest"
)

// mutantBytes is the most that a mutant is long.
const mutantBytes = 64 << 10

// survive puts bytes, whatever they are, through all that a host does with a
// module before it runs, and returns what became of them.
//
// Nothing may panic but the compiler, behind its recover; refusing must not
// take memory; compiling must not take longer than a second; and preparing must
// not make a bad module good or a good one bad.
func survive(t testing.TB, b []byte) (fate string, took time.Duration) {
	var before, after runtime.MemStats
	b = b[:min(len(b), mutantBytes)]
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
	// Only what was prepared is ever compiled in a host: thousands of
	// memory.fill, which are calls then, take 20 ms instead of 1.5 s.
	plain := compiles(b)
	begin = threadTime()
	prepared := compiles(p.Bytes)
	took = threadTime() - begin
	if plain != nil && strings.Contains(plain.Error(), "custom section") {
		// wazero cannot read an empty custom section at the end of a file;
		// preparation leaves those out.
		return "invalid", took
	}
	if (plain == nil) != (prepared == nil) {
		t.Errorf("plain: %v; prepared: %v", plain, prepared)
	}
	switch {
	case plain == nil:
		return "good", took
	case strings.HasPrefix(plain.Error(), compilerPanicked):
		return "invalid (the compiler panicked and was recovered)", took
	}
	return "invalid", took
}

func compiles(b []byte) error {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(allFeatures))
	defer rt.Close(ctx)
	_, err := compile(ctx, rt, b)
	return err
}

// shelf is a kind of modules to make mutants of, and how many of a hundred
// mutants are made of it.
type shelf struct {
	share   int
	modules []source
}

func (s *shelf) add(b []byte) { s.modules = append(s.modules, newSource(b)) }

// shelves are what mutants are made of: the core test suite's modules, which
// are small and try each instruction; real programs and long generated ones of
// up to 64 KiB; and what compilers are slow at, in full size.
func shelves(t testing.TB) []shelf {
	small, large, slow := shelf{share: 85}, shelf{share: 14}, shelf{share: 1}
	var files []string
	for _, dir := range []string{"v2", "tail-call", "extended-const"} {
		found, _ := filepath.Glob(filepath.Join(wazeroDir(), "internal/integration_test/spectest", dir, "testdata/*.wasm"))
		files = append(files, found...)
	}
	for i, f := range files {
		if st, err := os.Stat(f); err == nil && st.Size() < 64<<10 && i%3 == 0 {
			small.add(readFile(t, f))
		}
	}
	guests, _ := filepath.Glob("../../../testdata/guests/*.wasm")
	for _, f := range guests {
		if st, err := os.Stat(f); err == nil && 4<<10 < st.Size() && st.Size() <= mutantBytes {
			large.add(readFile(t, f))
		}
	}
	if len(small.modules) < 500 || len(large.modules) < 3 {
		t.Fatalf("only %d small and %d large modules to begin with: is wazero's source in the module cache?", len(small.modules), len(large.modules))
	}
	for _, name := range slices.Sorted(maps.Keys(bombs)) {
		small.add(bombs[name](1000))
		small.add(bombs[name](10_000))
		slow.add(bombs[name](60_000))
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		small.add((&generator{b: randomBytes(r, 2000)}).module())
	}
	for range 20 {
		if b := (&generator{b: randomBytes(r, 40_000)}).module(); len(b) <= mutantBytes {
			large.add(b)
		}
	}
	return []shelf{small, large, slow}
}

// draw takes a shelf by its share.
func draw(r *rand.Rand, from []shelf) []source {
	n := r.IntN(100)
	for _, s := range from {
		if n -= s.share; n < 0 {
			return s.modules
		}
	}
	panic("the shares are no hundred")
}

func randomBytes(r *rand.Rand, most int) []byte {
	b := make([]byte, r.IntN(most))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestMutants puts mutants of modules through decoder and compiler.
// MODULE_MUTANTS holds how many, MODULE_SEED where to begin; the campaign takes
// a million. bench/conformance runs it.
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
	t.Logf("seed %d", seed) // first: what ends the process leaves nothing else
	from := shelves(t)
	fates := map[string]int{}
	var worst time.Duration
	largest := 0
	begin := time.Now()
	r := rand.New(rand.NewPCG(seed, 2))
	for i := range n {
		if i > 0 && i%50_000 == 0 { // a campaign takes an hour
			t.Logf("%d mutants: %s; slowest to compile %v", i, tally(fates), worst)
		}
		b := mutate(r, draw(r, from))
		largest = max(largest, min(len(b), mutantBytes))
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("panic: %v", p)
				}
			}()
			fate, took := survive(t, b)
			if took > time.Second {
				// A busy machine is no reason: the better of two counts.
				info, _ := Check(b, Limits{})
				t.Logf("mutant %d: %v for %d bytes, estimated %d ms; once more", i, took, len(b), info.CompileMillis)
				if _, took = survive(t, b); took > time.Second {
					t.Errorf("%v to compile %d bytes", took, len(b))
				}
			}
			fates[fate]++
			worst = max(worst, took)
		}()
		if t.Failed() {
			name := filepath.Join(os.TempDir(), "mutant.wasm")
			_ = os.WriteFile(name, b, 0o600)
			t.Fatalf("mutant %d of seed %d, kept in %s", i, seed, name)
		}
	}
	t.Logf("%d mutants: %s; slowest to compile %v", n, tally(fates), worst)
	row := gotest.Row{What: "mutants through decoder and compiler: no panic, no fatal error, none over a second", Unit: "mutants", Number: n,
		Seconds: time.Since(begin).Seconds(),
		Note:    fmt.Sprintf("seed %d, the largest %d bytes, the slowest took %d ms of processor time; they were %s", seed, largest, worst.Milliseconds(), tally(fates))}
	row.Tell(t)
}

// tally lists counts, the largest first.
func tally(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return counts[b] - counts[a] })
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", counts[name], name)
	}
	return strings.Join(names, ", ")
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
