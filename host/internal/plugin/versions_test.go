package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wasmhost/host/event"
)

// versionGuest is version.wasm with a plan: what run does, what health does, and
// a text.
func versionGuest(t testing.TB, plan string) []byte {
	t.Helper()
	wasm, err := os.ReadFile(guests + "/version.wasm")
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(wasm, []byte("PLAN:"))
	if at < 0 || len(plan) > 40 {
		t.Fatalf("%q cannot be written at %d", plan, at)
	}
	copy(wasm[at+len("PLAN:"):], plan+".")
	return wasm
}

func versionSpec(t testing.TB, plan string) Spec {
	return Spec{Name: "guest", Source: "version.wasm", Dir: guests, Module: versionGuest(t, plan)}
}

func loadVersion(t testing.TB, r *Runtime, s Spec) *Plugin {
	t.Helper()
	p, err := r.Load(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newVersions is a plugin with one version, and the changes that it told of.
func newVersions(t testing.TB, r *Runtime, s Spec, o VersionOptions) (*Versions, *changeLog) {
	t.Helper()
	c := &changeLog{}
	o.OnChange = c.add
	v := r.NewVersions(loadVersion(t, r, s), o)
	t.Cleanup(func() {
		if err := v.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return v, c
}

type changeLog struct {
	mu   sync.Mutex
	list []VersionChange
}

func (c *changeLog) add(one VersionChange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, one)
}

func (c *changeLog) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, one := range c.list {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s", one.What, one.Mode)))
	}
	return strings.Join(all, ", ")
}

// says makes an idempotent call and wants an answer.
func says(t testing.TB, v *Versions, input, want string) Answer {
	t.Helper()
	a, err := v.Call(t.Context(), Call{Input: []byte(input), Idempotent: true})
	if err != nil || string(a.Output) != want {
		t.Fatalf("%q: %q, %v; want %q", input, a.Output, err, want)
	}
	return a
}

func states(v *Versions) string {
	var all []string
	for _, one := range v.List() {
		all = append(all, string(one.State))
	}
	return strings.Join(all, " ")
}

func code(err error) string {
	var e *event.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestSwapAndRollback(t *testing.T) {
	r := newTestRuntime(t, Config{})
	v, told := newVersions(t, r, versionSpec(t, "ehone"), VersionOptions{})
	one := says(t, v, "x", "one x").Digest
	if _, err := v.Rollback(t.Context()); code(err) != codeNoVersion {
		t.Error(err)
	}
	two := loadVersion(t, r, versionSpec(t, "ehtwo"))
	v.Swap(two, FromUpload)
	if a := says(t, v, "x", "two x"); a.Digest != two.Digest() || a.Digest == one {
		t.Error(a.Digest)
	}
	list := v.List()
	if states(v) != "current previous" || list[0].From != FromUpload || list[1].From != FromSource || list[1].Digest != one || list[1].Calls != 1 || list[0].P50MS <= 0 {
		t.Errorf("%+v", list)
	}
	if n := r.Stats(); len(n.Plugins) != 1 || n.Plugins[0].Digest != two.Digest() || n.Compiled != 1 || n.CompiledBytes < 1000 || n.Plugins[0].Ready != 1 || n.Plugins[0].Limit != 16 {
		t.Errorf("the old version is still compiled: %+v", n)
	}
	if s, digest, ok := v.Previous(); !ok || digest != one || !bytes.Equal(s.Module, versionGuest(t, "ehone")) {
		t.Error(digest, ok)
	}
	for _, want := range []string{"one", "two", "one"} {
		report, err := v.Rollback(t.Context())
		if err != nil || report.Refused != nil {
			t.Fatal(report, err)
		}
		if a := says(t, v, "x", want+" x"); a.Digest != report.To || report.From == report.To {
			t.Errorf("%+v", report)
		}
	}
	if told.String() != "swap now, swap now, swap now, swap now" {
		t.Error(told)
	}
}

// TestRollbackOfAManifest: its modules are those it had, whatever lies in its
// files by now.
func TestRollbackOfAManifest(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/m.json", `{"wasm":[{"path":"v.wasm"}]}`)
	write(t, dir+"/v.wasm", string(versionGuest(t, "ehone")))
	r := newTestRuntime(t, Config{})
	s := Spec{Name: "guest", Source: "m.json", Dir: dir}
	v, _ := newVersions(t, r, s, VersionOptions{})
	one := says(t, v, "x", "one x").Digest
	write(t, dir+"/v.wasm", string(versionGuest(t, "ehtwo")))
	next, report := r.Candidate(t.Context(), s, v.Current(), Gate{})
	if next == nil {
		t.Fatalf("%+v", report)
	}
	v.Swap(next, FromSource)
	says(t, v, "x", "two x")
	if report, err := v.Rollback(t.Context()); err != nil || report.To != one {
		t.Fatal(report, err)
	}
	if a := says(t, v, "x", "one x"); a.Digest != one {
		t.Error(a.Digest)
	}
}

// TestCallsEndOnTheirVersion: also those that wait for an instance.
func TestCallsEndOnTheirVersion(t *testing.T) {
	r := newTestRuntime(t, Config{})
	s := versionSpec(t, "nhold")
	s.Limits.Instances = 1
	v, _ := newVersions(t, r, s, VersionOptions{})
	old := v.Current().Digest()
	const calls = 50 // one after the other, 8 ms each
	var wg sync.WaitGroup
	var ended atomic.Int64
	for range calls {
		wg.Go(func() {
			defer ended.Add(1)
			if a, err := v.Call(t.Context(), Call{Input: []byte("x")}); err != nil || string(a.Output) != "old x" || a.Digest != old {
				t.Errorf("%q %v", a.Output, err)
			}
		})
	}
	for { // until all of them are in
		over := int(ended.Load())
		if over == calls {
			t.Fatal("all calls ended before one could be swapped under them")
		}
		if working, waiting, _ := v.Current().pool.load(); working+waiting+over == calls {
			break
		}
		runtime.Gosched()
	}
	v.Swap(loadVersion(t, r, versionSpec(t, "ehnew")), FromUpload)
	if list := v.List(); states(v) != "current draining" || list[1].Digest != old || list[1].InFlight == 0 {
		t.Errorf("%+v", list)
	}
	says(t, v, "x", "new x")
	wg.Wait()
	if states(v) != "current previous" || len(r.Stats().Plugins) != 1 {
		t.Error(states(v), r.Stats())
	}
}

// TestSwapsUnderLoad: a thousand swaps and trials of good and bad modules, while
// calls never stop. None fails, none is answered twice or by a version that was
// not there, and nothing is left.
func TestSwapsUnderLoad(t *testing.T) {
	rounds := 1000
	if raced {
		rounds = 80 // the compiler is slow then
	}
	r := NewRuntime(Config{})
	defer r.Close(context.Background())
	s := versionSpec(t, "eh0")
	s.Record = 5
	v, _ := newVersions(t, r, s, VersionOptions{})
	var numbers sync.Map           // digest → number of a version that may answer
	var current, made atomic.Int64 // numbers
	numbers.Store(v.Current().Digest(), int64(0))
	var sent, answered atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for i := range 4 {
		callers.Go(func() {
			pace := time.NewTicker(time.Millisecond) // the swaps want a core too
			defer pace.Stop()
			for n := 0; ctx.Err() == nil; n++ {
				input := fmt.Sprintf("%d-%d", i, n)
				before := current.Load()
				sent.Add(1)
				a, err := v.Call(context.Background(), Call{Input: []byte(input), Idempotent: i%2 == 0})
				if err != nil {
					t.Errorf("%s: %v", input, err)
					return
				}
				answered.Add(1)
				number, ok := numbers.Load(a.Digest)
				if last := made.Load(); !ok || number.(int64) < before || number.(int64) > last {
					t.Errorf("%s: answered by version %v; %d was current before, and %d is the last", input, number, before, last)
				}
				if want := fmt.Sprintf("%v %s", number, input); string(a.Output) != want {
					t.Errorf("%q; want %q", a.Output, want)
				}
				if n%2 == 1 {
					<-pace.C
				}
			}
		})
	}
	defer callers.Wait()
	defer stop()
	take := func(module []byte) *Plugin {
		next, report := r.Candidate(t.Context(), s, v.Current(), Gate{Module: module})
		if next == nil {
			t.Fatalf("%+v", report.Refused)
		}
		return next
	}
	// good is a version of the next number, which may answer from now on.
	good := func() *Plugin {
		n := made.Load() + 1
		next := take(versionGuest(t, fmt.Sprintf("eh%d", n)))
		numbers.Store(next.Digest(), n)
		made.Store(n)
		return next
	}
	trial := func(next *Plugin, mode event.SwapMode) TrialEnd {
		ended := make(chan TrialEnd, 1)
		if err := v.Try(next, FromUpload, Trial{Mode: mode, Good: 2, OnEnd: func(e TrialEnd) { ended <- e }}); err != nil {
			t.Fatal(err)
		}
		return <-ended
	}
	bad := [][]byte{[]byte("\x00asm\x01\x00\x00\x00\xff"), []byte("nothing"), versionGuest(t, "eh0")[:1000], versionGuest(t, "ef-bad"), versionGuest(t, "eu-bad"), {}}
	did := map[string]int{}
	var settled held
	for i := range rounds {
		what := "swap"
		switch {
		case i%10 == 1:
			what = "refused"
			if next, report := r.Candidate(t.Context(), s, v.Current(), Gate{Module: bad[i/10%len(bad)]}); next != nil || report.Refused == nil {
				t.Fatalf("a bad module was taken: %+v", report)
			}
		case i%20 == 3:
			what = "promoted"
			if e := trial(good(), event.SwapCanary); !e.Promoted {
				t.Fatalf("%+v", e)
			}
			current.Store(made.Load())
		case i%20 == 13:
			what = "rolled back"
			if e := trial(take(versionGuest(t, fmt.Sprintf("fh%d", i))), event.SwapCanary); e.Promoted || e.Failures != 2 {
				t.Fatalf("%+v", e)
			}
		case i%20 == 5:
			what = "shadow"
			if e := trial(take(versionGuest(t, fmt.Sprintf("eh%d.", i+100000))), event.SwapShadow); e.Promoted || e.Differ != e.Calls {
				t.Fatalf("%+v", e)
			}
		default:
			v.Swap(good(), FromUpload)
			current.Store(made.Load())
		}
		did[what]++
		if i == rounds/4 {
			settled = holding(t)
		}
	}
	last := holding(t)
	stop()
	callers.Wait()
	t.Logf("%v under %d calls; heap %d KiB after a quarter, %d KiB at the end", did, sent.Load(), settled.heap>>10, last.heap>>10)
	if answered.Load() != sent.Load() || sent.Load() < int64(rounds)/4 {
		t.Errorf("%d calls, %d answers", sent.Load(), answered.Load())
	}
	if last.heap > settled.heap+4<<20 || last.descriptors > settled.descriptors+4 || last.goroutines > settled.goroutines+4 {
		t.Errorf("%+v after a quarter, %+v at the end", settled, last)
	}
	if st := r.Stats(); len(st.Plugins) != 1 || st.Compiled != 1 || states(v) != "current previous" {
		t.Errorf("%+v %s", st, states(v))
	}
}

// held is what the process holds.
type held struct {
	heap                    uint64
	descriptors, goroutines int
}

func holding(t *testing.T) held {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h := held{heap: m.HeapAlloc, goroutines: runtime.NumGoroutine()}
	if runtime.GOOS == "linux" {
		h.descriptors = openDescriptors(t)
	}
	return h
}

func TestClosedVersions(t *testing.T) {
	r := newTestRuntime(t, Config{})
	v, _ := newVersions(t, r, versionSpec(t, "ehone"), VersionOptions{Record: 3})
	says(t, v, "x", "one x")
	if err := v.Swap(loadVersion(t, r, versionSpec(t, "ehfour")), FromUpload); err != nil {
		t.Fatal(err)
	}
	if err := v.Try(loadVersion(t, r, versionSpec(t, "ehtwo")), FromUpload, Trial{Mode: event.SwapShadow}); err != nil {
		t.Fatal(err)
	}
	says(t, v, "x", "four x")
	for range 2 {
		if err := v.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := v.Call(t.Context(), Call{}); code(err) != codeClosed {
		t.Error(err)
	}
	if err := v.Try(loadVersion(t, r, versionSpec(t, "ehtwo")), FromUpload, Trial{Mode: event.SwapCanary}); code(err) != codeClosed {
		t.Error(err)
	}
	if err := v.Swap(loadVersion(t, r, versionSpec(t, "ehthree")), FromUpload); code(err) != codeClosed {
		t.Error(err)
	}
	if report, err := v.Rollback(t.Context()); code(err) != codeClosed {
		t.Error(report, err)
	}
	if n := len(r.Stats().Plugins); n != 0 {
		t.Errorf("%d plugins are open", n)
	}
}

// BenchmarkVersions is a call of a plugin beside the same by way of Versions, and
// with all that Versions can do besides.
func BenchmarkVersions(b *testing.B) {
	for _, name := range []string{"plugin", "versions", "canary", "recorded"} {
		b.Run(name, func(b *testing.B) {
			r := NewRuntime(Config{CacheDir: compiledCode()})
			b.Cleanup(func() { r.Close(context.Background()) })
			s := Spec{Name: "guest", Source: "probe.wasm", Dir: guests, Reset: ResetNever}
			p := loadVersion(b, r, s)
			call := p.Call
			if name != "plugin" {
				o := VersionOptions{}
				if name == "recorded" {
					o.Record = 100
				}
				v := r.NewVersions(p, o)
				b.Cleanup(func() { v.Close(context.Background()) })
				call = v.Call
				if name == "canary" {
					next := loadVersion(b, r, s)
					if err := v.Try(next, FromUpload, Trial{Mode: event.SwapCanary, Good: 1 << 30}); err != nil {
						b.Fatal(err)
					}
				}
			}
			c := Call{Function: "nothing", Idempotent: true}
			ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
			defer cancel()
			measure(b, func() (int, error) {
				a, err := call(ctx, c)
				return len(a.Output), err
			}, 0)
		})
	}
}
