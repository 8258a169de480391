package plugin

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestBlocks compares the kernel with a model: a list of slices.
func TestBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := int64(rapid.SampledFrom([]int{1 << 12, 1 << 16, 1 << 20}).Draw(t, "limit"))
		m := &memory{limit: limit}
		b := newBlocks(m)
		var live []struct {
			at   uint64
			data []byte
		}
		anyBlock := func() int { return rapid.IntRange(0, len(live)-1).Draw(t, "block") }
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				for i, x := range live {
					got, err := b.read(x.at)
					if err != nil || !bytes.Equal(got, x.data) || b.length(x.at) != uint64(len(x.data)) {
						t.Fatalf("block %d at %d: %v, %v", i, x.at, got, err)
					}
				}
				if m.used > limit || int64(len(b.data)) != m.used {
					t.Fatalf("%d bytes used, %d there, %d allowed", m.used, len(b.data), limit)
				}
			},
			"alloc": func(t *rapid.T) {
				n := uint64(rapid.IntRange(0, 3000).Draw(t, "n"))
				at, err := b.alloc(n)
				if err != nil {
					if !m.refused {
						t.Fatal("refused without a word")
					}
					return
				}
				if n == 0 {
					if at != 0 {
						t.Fatal("an empty block has an offset")
					}
					return
				}
				if at%blocksAlign != 0 || !bytes.Equal(b.at("", at, n), make([]byte, n)) {
					t.Fatalf("the block at %d is not clean", at)
				}
				for _, x := range live {
					if at < x.at+uint64(len(x.data)) && x.at < at+n {
						t.Fatalf("the block at %d lies over the one at %d", at, x.at)
					}
				}
				live = append(live, struct {
					at   uint64
					data []byte
				}{at, make([]byte, n)})
			},
			"store": func(t *rapid.T) {
				if len(live) == 0 {
					t.Skip()
				}
				x := live[anyBlock()]
				i := rapid.IntRange(0, len(x.data)-1).Draw(t, "i")
				x.data[i] = rapid.Byte().Draw(t, "v")
				b.at("", x.at+uint64(i), 1)[0] = x.data[i]
			},
			"free": func(t *rapid.T) {
				if len(live) == 0 {
					t.Skip()
				}
				i := anyBlock()
				if at := live[i].at; rapid.Bool().Draw(t, "host") {
					b.release(at)
					b.drop(at) // as guests do: it is the host's already
				} else {
					b.drop(at)
					b.drop(at)
				}
				live = append(live[:i], live[i+1:]...)
			},
			"reset": func(t *rapid.T) {
				b.reset()
				live = nil
			},
		})
	})
}

// TestBlocksStaySmall: taking and giving back the same sizes does not grow.
func TestBlocksStaySmall(t *testing.T) {
	b := newBlocks(&memory{limit: 1 << 30})
	for i := range uint64(100_000) {
		at, err := b.alloc(1 + i%2000)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			b.drop(at)
		} else {
			b.release(at)
		}
	}
	if len(b.data) > 1<<20 {
		t.Errorf("%d bytes", len(b.data))
	}
}

func TestRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(1, 1<<32).Draw(t, "n")
		r := room(n)
		if r < n || r%blocksAlign != 0 || r != room(r) || r-n > max(n/4, blocksAlign) {
			t.Fatalf("room(%d) = %d", n, r)
		}
	})
}
