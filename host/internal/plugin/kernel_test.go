package plugin

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"pgregory.net/rapid"
)

// TestKernelIsItsSource: what is embedded was made of kernel.wat.
func TestKernelIsItsSource(t *testing.T) {
	tool, err := exec.LookPath("wat2wasm")
	if err != nil {
		if os.Getenv("CI") != "" { // CI skips nothing
			t.Fatal("wat2wasm (wabt) is not installed: the committed modules were not compared with their sources")
		}
		t.Skip("NOT TESTED: wat2wasm (wabt) is not installed: the committed modules were not compared with their sources")
	}
	out := t.TempDir() + "/kernel.wasm"
	if text, err := exec.Command(tool, "kernel.wat", "-o", out).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if made, _ := os.ReadFile(out); !bytes.Equal(made, kernelCode) {
		t.Error("kernel.wasm is not kernel.wat; make it again: wat2wasm kernel.wat -o kernel.wasm")
	}
}

// guestSide calls the kernel as a guest does.
type guestSide struct {
	in *instance
	k  *kernel
}

func newGuestSide(t *testing.T) (func(limit int64) *guestSide, func()) {
	rt := wazero.NewRuntime(t.Context())
	code, err := linkEnv(t.Context(), rt)
	if err != nil {
		t.Fatal(err)
	}
	return func(limit int64) *guestSide {
		in := &instance{memory: &memory{limit: limit}, ctx: t.Context()}
		if in.kernel, err = newKernel(t.Context(), in.memory, rt, code); err != nil {
			t.Fatal(err)
		}
		return &guestSide{in, in.kernel}
	}, func() { rt.Close(context.Background()) }
}

func (g *guestSide) call(name string, params ...uint64) (uint64, error) {
	results, err := g.k.module.ExportedFunction(name).Call(&callContext{Context: g.in.ctx, in: g.in}, params...)
	if err != nil || len(results) == 0 {
		return 0, err
	}
	return results[0], nil
}

// TestKernel compares both sides of the kernel with a model: a list of slices.
func TestKernel(t *testing.T) {
	make1, end := newGuestSide(t)
	defer end()
	rapid.Check(t, func(t *rapid.T) {
		limit := int64(rapid.SampledFrom([]int{1 << 16, 1 << 17, 1 << 20}).Draw(t, "limit"))
		g := make1(limit)
		defer g.k.module.Close(context.Background())
		m := g.in.memory
		type block struct {
			at   uint64
			data []byte
		}
		var live []block
		anyBlock := func() int { return rapid.IntRange(0, len(live)-1).Draw(t, "block") }
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				for i, x := range live {
					got, err := g.k.read(x.at)
					if err != nil || !bytes.Equal(got, x.data) {
						t.Fatalf("block %d at %d: %v, %v", i, x.at, got, err)
					}
				}
				if len(live) > 0 {
					x := live[len(live)-1]
					if n, err := g.call("length", x.at); err != nil || n != uint64(len(x.data)) {
						t.Fatal(n, err)
					}
				}
				if charged := g.k.get(atCharged); m.used > limit || int64(charged) != m.used || uint64(len(g.k.shared.buf)) < charged {
					t.Fatalf("%d bytes used, %d charged, %d there, %d allowed", m.used, charged, len(g.k.shared.buf), limit)
				}
			},
			"alloc": func(t *rapid.T) {
				n := uint64(rapid.SampledFrom([]int{0, 1, 8, 16, 17, 100, 127, 128, 129, 1000, 3000, 40_000}).Draw(t, "n"))
				var at uint64
				var err error
				if rapid.Bool().Draw(t, "host") {
					at, err = g.k.alloc(n)
				} else {
					at, err = g.call("alloc", n)
				}
				if err != nil {
					if !m.refused || !strings.Contains(err.Error(), "ran out of memory") {
						t.Fatal(err)
					}
					return
				}
				if n == 0 {
					if at != 0 {
						t.Fatal("an empty block has an offset")
					}
					return
				}
				data, err := g.k.read(at)
				if err != nil || at%16 != 0 || !bytes.Equal(data, make([]byte, n)) {
					t.Fatalf("the block at %d is not clean: %v", at, err)
				}
				for _, x := range live {
					if at < x.at+uint64(len(x.data)) && x.at < at+n {
						t.Fatalf("the block at %d lies over the one at %d", at, x.at)
					}
				}
				live = append(live, block{at, make([]byte, n)})
			},
			"store": func(t *rapid.T) {
				if len(live) == 0 {
					t.Skip()
				}
				x := live[anyBlock()]
				i := rapid.IntRange(0, len(x.data)-1).Draw(t, "i")
				x.data[i] = rapid.Byte().Draw(t, "v")
				if _, err := g.call("store_u8", x.at+uint64(i), uint64(x.data[i])); err != nil {
					t.Fatal(err)
				}
				if v, err := g.call("load_u8", x.at+uint64(i)); err != nil || byte(v) != x.data[i] {
					t.Fatal(v, err)
				}
			},
			"free": func(t *rapid.T) {
				if len(live) == 0 {
					t.Skip()
				}
				i := anyBlock()
				if rapid.Bool().Draw(t, "host") {
					g.k.release(live[i].at)
				}
				for range 2 { // as guests do: it may be the host's already
					if _, err := g.call("free", live[i].at); err != nil {
						t.Fatal(err)
					}
				}
				live = append(live[:i], live[i+1:]...)
			},
			"clear": func(t *rapid.T) {
				if rapid.Bool().Draw(t, "by the guest") {
					if _, err := g.call("reset"); err != nil {
						t.Fatal(err)
					}
				} else {
					g.k.clear()
					if !g.k.pristine() || m.used != kernelPage {
						t.Fatal("not clear")
					}
				}
				if all := g.k.shared.buf; used(all[blocksBase:]) != 0 {
					t.Fatal("something is left")
				}
				live = nil
			},
		})
	})
}

// TestKernelHoldsAgainstItsGuest writes over everything it can, at random, and
// calls everything with anything: calls may fail, but nothing outside of the
// blocks changes, and after clear nothing is left.
func TestKernelHoldsAgainstItsGuest(t *testing.T) {
	make1, end := newGuestSide(t)
	defer end()
	rapid.Check(t, func(t *rapid.T) {
		g := make1(1 << 18)
		defer g.k.module.Close(context.Background())
		number := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 9000), rapid.Map(rapid.Uint64Range(0, 600), func(n uint64) uint64 { return 4096 + 8*n }))
		for range rapid.IntRange(1, 60).Draw(t, "calls") {
			a, b := number.Draw(t, "a"), number.Draw(t, "b")
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0, 1, 2:
				g.call("alloc", a%5000)
			case 3:
				g.call("free", a)
			case 4, 5:
				g.call("store_u64", a, b)
			case 6: // a head that looks right, with any length
				if _, err := g.call("store_u64", a&^15, uint64(uint32(a&^15+16)^blockMark)); err == nil {
					g.call("store_u64", a&^15+8, b)
					g.call("free", a&^15+16)
				}
			case 7:
				g.call("output_set", a, b)
				g.k.output(1 << 20)
			case 8:
				g.k.read(a)
				g.k.release(a)
				g.k.write(make([]byte, b%3000))
			case 9:
				g.call("error_set", a)
				g.k.failure()
				g.call("input_set", a, b%100)
				g.call("input_load_u64", 0)
			}
			top, charged := g.k.get(atTop), g.k.get(atCharged)
			if top < blocksBase || top > charged || charged > 1<<18 || g.in.memory.used != int64(charged) {
				t.Fatalf("top %d, charged %d, %d used", top, charged, g.in.memory.used)
			}
			if all := g.k.shared.buf; used(all[(top+4095)&^4095:]) != 0 {
				t.Fatal("something lies above the top")
			}
		}
		g.k.clear()
		if all := g.k.shared.buf; !g.k.pristine() || used(all[blocksBase:]) != 0 {
			t.Fatal("something is left")
		}
	})
}

// TestKernelStaysSmall: taking and giving back the same sizes does not grow.
func TestKernelStaysSmall(t *testing.T) {
	make1, end := newGuestSide(t)
	defer end()
	g := make1(1 << 30)
	for i := range uint64(20_000) {
		at, err := g.k.alloc(1 + i%2000)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			g.call("free", at)
		} else {
			g.k.release(at)
		}
	}
	if n := g.k.get(atTop); n > 1<<20 {
		t.Errorf("%d bytes", n)
	}
}

func TestRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(1, 1<<32-1).Draw(t, "n")
		r := room(n)
		if r < n || r%16 != 0 || r != room(r) || r-n > max(n/4, 16) || head(r) < atHeads || head(r) >= endOfHeads-8 {
			t.Fatalf("room(%d) = %d", n, r)
		}
	})
}

// TestKernelGivesPagesBack: what a large input took is gone from an idle
// instance, which is kept and answers the next call from clean memory.
func TestKernelGivesPagesBack(t *testing.T) {
	p := load(t, guest("probe"))
	large := strings.Repeat("large", 400_000)
	p.limits.Input, p.limits.Output = 4<<20, 4<<20
	for _, text := range []string{large, "small", large} {
		succeeds(t, p, "same", text, text)
		if p.pool.size() != 1 {
			t.Fatal("the instance is thrown away")
		}
		k := p.pool.ready[0].kernel
		// Many pages, and a kernel that does not say, both answer with false.
		if n, ok := touched(k.shared.buf, k.shared.touchedRows()); ok && (n != 1 || k.shared.rows[0].end > keptBlocks+blocksBase) || !ok && pagesAreTold() {
			t.Errorf("after %d bytes, %d rows of pages are held", len(text), n)
		}
	}
	if n := used(p.pool.ready[0].kernel.shared.buf[blocksBase:]); n != 0 {
		t.Errorf("%d bytes are left", n)
	}
}
