//go:build unix

package torture

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
)

//go:embed testdata/swaps/*.toml testdata/swaps/*.wasm
var swapsData embed.FS

// module is a version of a plugin, made for one swap.
type module struct {
	label, digest string
	bytes         []byte
	// sick ones pass every gate and fail when they are called: they may be tried,
	// and never become current. bad says why one must not pass the gates.
	sick bool
	bad  string
	code string // of the refusal; "": any

	// good is how many calls a canary has to answer before it is promoted;
	// 0: it was none. promoted is when somebody asked for that himself.
	good     int
	promoted stamp
}

// foundry makes modules. It is safe for concurrent use.
type foundry struct {
	witness, grown, fill []byte
	guests               string // the folder of the guests that other tests have

	mu       sync.Mutex
	made     int
	byLabel  map[string]*module
	byDigest map[string]*module
}

func newFoundry(guests string) (*foundry, error) {
	f := &foundry{guests: guests, byLabel: map[string]*module{}, byDigest: map[string]*module{}}
	var errs [4]error
	f.witness, errs[0] = swapsData.ReadFile("testdata/swaps/witness.wasm")
	f.grown, errs[1] = swapsData.ReadFile("testdata/swaps/grown.wasm")
	f.fill, errs[2] = swapsData.ReadFile("testdata/swaps/fill.wasm")
	_, errs[3] = os.Stat(guests)
	return f, errors.Join(errs[:]...)
}

// of is a module by its digest, nil when it is none of ours.
func (f *foundry) of(digest string) *module {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.byDigest[digest]
}

// labelled is a module by its label.
func (f *foundry) labelled(label string) *module {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.byLabel[label]
}

// cast writes a plan into a guest, with a label of its own.
func (f *foundry) cast(guest []byte, plan, name string) *module {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made++
	m := &module{label: fmt.Sprintf("%s-%d", name, f.made), bytes: bytes.Clone(guest)}
	at := bytes.Index(m.bytes, []byte("PLAN:"))
	copy(m.bytes[at+len("PLAN:"):], plan+m.label+".")
	f.enter(m)
	return m
}

// enter is called under mu.
func (f *foundry) enter(m *module) {
	sum := sha256.Sum256(m.bytes)
	m.digest = "sha256:" + hex.EncodeToString(sum[:])
	f.byLabel[m.label], f.byDigest[m.digest] = m, m
}

// fine makes a version that works.
func (f *foundry) fine(naps bool, random *rand.Rand) *module {
	plan := "gh"
	if naps {
		plan = []string{"nh", "lh"}[random.IntN(2)]
	}
	return f.cast(f.witness, plan, "good")
}

// failing makes a version that passes the gates, and fails at every call.
func (f *foundry) failing(random *rand.Rand) *module {
	m := f.cast(f.witness, []string{"fh", "th"}[random.IntN(2)], "sick")
	m.sick = true
	return m
}

// hostileKinds are those of spoiled that burn a processor until they are stopped.
var hostileKinds = []string{"start_loop", "init_loop", "fill"}

// badKinds must not pass the gates: "empty" and "no run" lack the function that is
// called, "start_loop", "init_loop" and "fill" never begin, and have no health
// function either.
var badKinds = []string{"garbage", "truncated", "flipped", "failing health", "unhealthy", "trapping health", "grown", "component",
	"memory64", "threads", "empty", "no run", "start_loop", "init_loop", "fill"}

// spoiled makes a version that must not pass the gates.
func (f *foundry) spoiled(kind string, random *rand.Rand) (*module, error) {
	switch kind {
	case "failing health", "unhealthy", "trapping health":
		plan := map[string]string{"failing health": "gf", "unhealthy": "gu", "trapping health": "gt"}[kind]
		m := f.cast(f.witness, plan, "bad")
		m.bad, m.code = kind, "unhealthy"
		return m, nil
	case "grown":
		m := f.cast(f.grown, "gh", "bad")
		m.bad, m.code = kind, "permissions_grow"
		return m, nil
	case "truncated", "flipped":
		m := f.cast(f.witness, "gh", "bad")
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.byDigest, m.digest)
		if m.bad = kind; kind == "truncated" {
			m.bytes = m.bytes[:8+random.IntN(len(m.bytes)-8)]
		} else {
			m.bytes[4+random.IntN(4)] ^= 1 << (1 + random.IntN(7)) // the version
		}
		f.enter(m)
		return m, nil
	}
	m := &module{bad: kind}
	var err error
	switch kind {
	case "garbage":
		m.bytes = make([]byte, 1+random.IntN(5000))
		for i := range m.bytes {
			m.bytes[i] = byte(random.Uint32())
		}
		if random.IntN(2) == 0 {
			m.bytes = append([]byte("\x00asm\x01\x00\x00\x00"), m.bytes...)
		}
	case "empty":
		m.bytes = []byte("\x00asm\x01\x00\x00\x00")
	case "no run":
		m.bytes, err = os.ReadFile(filepath.Join(f.guests, "lib.wasm"))
	case "component":
		m.bytes = []byte("\x00asm\x0d\x00\x01\x00")
	case "fill":
		m.bytes = bytes.Clone(f.fill)
	default:
		m.bytes, err = os.ReadFile(filepath.Join(f.guests, kind+".wasm"))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made++
	m.label = fmt.Sprintf("bad-%d", f.made)
	f.enter(m)
	return m, err
}
