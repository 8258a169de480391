package module

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"wasmhost/bench/gotest"
)

// behaviour is all that a module does when it is called: what each export
// returns or traps with, and the state after it.
type behaviour struct {
	log    []string
	memory []byte
	steps  int64
}

// behave runs every export of a generated module three times.
func behave(t testing.TB, b []byte, prepared bool, slice int64) (x behaviour) {
	t.Helper()
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(allFeatures))
	defer rt.Close(ctx)
	var granted int64
	provideYield(t, rt, func(_ context.Context, _ api.Module, left int64) int64 {
		x.steps += granted - left
		granted = slice
		return slice
	})
	_, err := rt.NewHostModuleBuilder("env").NewFunctionBuilder().
		WithFunc(func(v uint32) uint32 { return v*3 + 1 }).Export("f").Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	start := false
	if prepared {
		p, err := Prepare(b, Options{})
		if err != nil {
			t.Fatalf("prepare: %v", err)
		}
		b, start = p.Bytes, p.Info.Start
	}
	c, err := compile(ctx, rt, b)
	if err != nil {
		t.Fatalf("compile (prepared: %v): %v\n%x", prepared, err, b)
	}
	m, err := rt.InstantiateModule(ctx, c, wazero.NewModuleConfig().WithStartFunctions())
	if err != nil && !start {
		x.log = append(x.log, "start: "+trap(err))
		return x
	}
	if left, ok := m.ExportedGlobal(LeftExport).(api.MutableGlobal); ok {
		granted = slice
		left.Set(uint64(slice))
		defer func() { x.steps += granted - int64(left.Get()) }()
	}
	if start {
		if _, err := m.ExportedFunction(StartExport).Call(ctx); err != nil {
			x.log = append(x.log, "start: "+trap(err))
			return x
		}
	}
	fuel := m.ExportedGlobal("g0").(api.MutableGlobal)
	args := rand.New(rand.NewPCG(1, 2))
	for round := range 3 {
		for i := 0; ; i++ {
			f := m.ExportedFunction("f" + strconv.Itoa(i))
			if f == nil {
				break
			}
			fuel.Set(uint64(500 * round * round))
			var in []uint64
			for _, p := range f.Definition().ParamTypes() {
				switch p {
				case 0x7b: // v128 takes two
					in = append(in, uint64(args.IntN(1000)), uint64(args.IntN(9)))
				case api.ValueTypeF32:
					in = append(in, api.EncodeF32(float32(args.IntN(100))))
				case api.ValueTypeF64:
					in = append(in, api.EncodeF64(float64(args.IntN(100))))
				default:
					in = append(in, uint64(args.IntN(300)))
				}
			}
			out, err := f.Call(ctx, in...)
			if err != nil {
				x.log = append(x.log, fmt.Sprintf("f%d%v: %s", i, in, trap(err)))
				continue
			}
			x.log = append(x.log, fmt.Sprintf("f%d%v = %s", i, in, show(out, f.Definition().ResultTypes())))
		}
	}
	for i := 1; m.ExportedGlobal("g"+strconv.Itoa(i)) != nil; i++ {
		g := m.ExportedGlobal("g" + strconv.Itoa(i))
		x.log = append(x.log, fmt.Sprintf("g%d = %s", i, show([]uint64{g.Get()}, []api.ValueType{g.Type()})))
	}
	x.memory, _ = m.Memory().Read(0, m.Memory().Size())
	x.memory = bytes.Clone(x.memory)
	return x
}

// show prints values, all NaNs alike.
func show(v []uint64, types []api.ValueType) string {
	var b strings.Builder
	i := 0
	for _, t := range types {
		switch t {
		case api.ValueTypeF32:
			fmt.Fprintf(&b, " %v", api.DecodeF32(v[i]))
		case api.ValueTypeF64:
			fmt.Fprintf(&b, " %v", api.DecodeF64(v[i]))
		default:
			fmt.Fprintf(&b, " %x", v[i])
		}
		if i++; t == 0x7b && i < len(v) {
			fmt.Fprintf(&b, ":%x", v[i])
			i++
		}
	}
	return b.String()
}

// compare checks one generated module.
func compare(t testing.TB, decisions []byte) (steps int64) {
	b := (&generator{b: decisions}).module()
	plain := behave(t, b, false, 0)
	metered := behave(t, b, true, 1000)
	again := behave(t, b, true, 77)
	if len(plain.log) != len(metered.log) {
		t.Fatalf("plain %q\nprepared %q", plain.log, metered.log)
	}
	for i := range plain.log {
		if plain.log[i] != metered.log[i] {
			t.Errorf("plain %s, prepared %s", plain.log[i], metered.log[i])
		}
	}
	if !bytes.Equal(plain.memory, metered.memory) {
		t.Error("another memory")
	}
	if metered.steps != again.steps {
		t.Errorf("%d steps in slices of 1000, %d in slices of 77", metered.steps, again.steps)
	}
	if t.Failed() {
		t.Logf("decisions %x\nmodule %x", decisions, b)
	}
	return metered.steps
}

// TestPreparedModulesBehaveTheSame runs generated modules plain and prepared.
// MODULE_CAMPAIGN holds how many, 150 without it; MODULE_SEED where to begin.
func TestPreparedModulesBehaveTheSame(t *testing.T) {
	n := 150
	if testing.Short() {
		n = 20
	}
	if c, err := strconv.Atoi(os.Getenv("MODULE_CAMPAIGN")); err == nil {
		n = c
	}
	seed := uint64(os.Getpid())
	if v, err := strconv.ParseUint(os.Getenv("MODULE_SEED"), 10, 64); err == nil {
		seed = v
	}
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	begin := time.Now()
	row := gotest.Row{What: "generated modules: prepared against plain", Unit: "modules"}
	var steps int64
	for i := range n {
		decisions := make([]byte, 100+r.IntN(1500))
		for j := range decisions {
			decisions[j] = byte(r.Uint32())
		}
		steps += compare(t, decisions)
		row.Number++
		if t.Failed() {
			t.Errorf("module %d of seed %d", i, seed)
			row.Different = append(row.Different, gotest.Difference{What: fmt.Sprintf("module %d of seed %d", i, seed)})
			break
		}
	}
	row.Seconds = time.Since(begin).Seconds()
	row.Note = fmt.Sprintf("seed %d, %d steps: results, traps, globals, memory; and the same steps in slices of 1,000 and of 77", seed, steps)
	row.Tell(t)
	t.Logf("%d modules, %d steps", n, steps)
}

// FuzzPreparedIsTheSame is the same for the fuzzing engine to drive.
func FuzzPreparedIsTheSame(f *testing.F) {
	f.Add([]byte("a few decisions to begin with: which blocks, which operators, which branches"))
	f.Fuzz(func(t *testing.T, decisions []byte) {
		if len(decisions) < 4096 {
			compare(t, decisions)
		}
	})
}
