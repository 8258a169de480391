package module

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// wat translates a module in the text format, or skips the test.
func wat(t testing.TB, file string) []byte {
	t.Helper()
	if _, err := exec.LookPath("wat2wasm"); err != nil {
		lacks(t, "wat2wasm (wabt) is not installed")
	}
	out := filepath.Join(t.TempDir(), "o.wasm")
	if b, err := exec.Command("wat2wasm", "--enable-tail-call", "--enable-extended-const", "-o", out, file).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", file, err, b)
	}
	return readFile(t, out)
}

// pulse watches over the process while guests run: a goroutine that ticks, and
// collections that are forced one after the other.
type pulse struct {
	stop        chan struct{}
	done        chan struct{}
	gap, longGC atomic.Int64 // nanoseconds, the worst
}

func startPulse() *pulse {
	p := &pulse{stop: make(chan struct{}), done: make(chan struct{}, 2)}
	worst := func(to *atomic.Int64, d time.Duration) {
		for old := to.Load(); int64(d) > old && !to.CompareAndSwap(old, int64(d)); old = to.Load() {
		}
	}
	every := func(to *atomic.Int64, pause time.Duration, f func()) {
		defer func() { p.done <- struct{}{} }()
		for {
			select {
			case <-p.stop:
				return
			case <-time.After(pause):
			}
			begin := time.Now()
			f()
			worst(to, time.Since(begin))
		}
	}
	go every(&p.gap, time.Millisecond, func() { time.Sleep(time.Millisecond) })
	go every(&p.longGC, time.Millisecond, runtime.GC)
	return p
}

func (p *pulse) end() (gap, gc time.Duration) {
	close(p.stop)
	<-p.done
	<-p.done
	return time.Duration(p.gap.Load()), time.Duration(p.longGC.Load())
}

// TestHostileGuestsAreStopped runs every file of testdata/hostile under a
// deadline, while collections are forced: each must end as its first line says,
// soon after the deadline, without holding up the process.
func TestHostileGuestsAreStopped(t *testing.T) {
	files, err := filepath.Glob("../../../testdata/hostile/*.wat")
	if err != nil || len(files) == 0 {
		t.Fatalf("no guests: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".wat"), func(t *testing.T) {
			text := string(readFile(t, file))
			allowed := 40 * time.Millisecond
			if strings.HasPrefix(text, ";; trap") {
				allowed = 20 * time.Second // it ends by itself
			}
			p, err := Prepare(wat(t, file), Options{MemoryPages: 512, TableElements: 1_000_000})
			if err != nil {
				t.Fatal(err)
			}
			for _, slice := range []int64{1000, 100_000} {
				watch := startPulse()
				took, yields, err := runHostile(t, p, allowed, slice)
				gap, gc := watch.end()
				t.Logf("slices of %d: ended after %v of %v, %d yields; worst tick %v, worst collection %v", slice, took, allowed, yields, gap, gc)
				switch {
				case strings.HasPrefix(text, ";; stopped"):
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("ended with %v", err)
					}
				case strings.HasPrefix(text, ";; trap "):
					want := strings.Split(text, `"`)[1]
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("ended with %v, not %s", err, want)
					}
				default:
					t.Fatal("the first line does not say what must happen")
				}
				if took > allowed+time.Second || gap > time.Second || gc > time.Second {
					t.Errorf("took %v, worst tick %v, worst collection %v", took, gap, gc)
				}
			}
		})
	}
}

// runHostile runs the start function and run, if there is still time.
func runHostile(t *testing.T, p *Prepared, allowed time.Duration, slice int64) (took time.Duration, yields int, err error) {
	background := context.Background()
	rt := wazero.NewRuntimeWithConfig(background, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(allFeatures))
	defer rt.Close(background)
	provideYield(t, rt, func(ctx context.Context, _ api.Module, left int64) int64 {
		if left >= 0 {
			t.Errorf("yield with %d left", left)
		}
		if yields++; ctx.Err() != nil {
			panic(ctx.Err())
		}
		runtime.Gosched()
		return slice
	})
	m, err := rt.InstantiateWithConfig(background, p.Bytes, wazero.NewModuleConfig().WithStartFunctions())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(background, allowed)
	defer cancel()
	begin := time.Now()
	if p.Info.Start {
		if _, err = m.ExportedFunction(StartExport).Call(ctx); err != nil {
			return time.Since(begin), yields, err
		}
	}
	_, err = m.ExportedFunction("run").Call(ctx)
	return time.Since(begin), yields, err
}

// TestMain keeps the processor count at what the tests assume.
func TestMain(m *testing.M) {
	if runtime.GOMAXPROCS(0) < 2 {
		runtime.GOMAXPROCS(2)
	}
	os.Exit(m.Run())
}
