package sandboxtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"wasmhost/host/internal/plugin"
)

// bound is what the rest of the process may be held up while a guest runs.
const bound = 100 * time.Millisecond

// witness is what stands beside an attack: a server with /healthz, and another
// plugin. It is made once; pulse watches it.
type witness struct {
	server *httptest.Server
	client *http.Client
	other  *plugin.Plugin
	rt     *plugin.Runtime
}

func newWitness(t testing.TB) *witness {
	w := &witness{rt: plugin.NewRuntime(plugin.Config{})}
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			fmt.Fprint(rw, "ok")
		}
	}))
	w.client = &http.Client{Transport: &http.Transport{}}
	var err error
	if w.other, err = w.rt.Load(t.Context(), plugin.Spec{Name: "other", Source: "probe.wasm", Dir: guests}); err != nil {
		t.Fatal(err)
	}
	// Its connection and its instance are kept from now on.
	if err := errors.Join(w.healthz(), w.call()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		w.server.Close()
		if err := w.rt.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *witness) healthz() error {
	resp, err := w.client.Get(w.server.URL + "/healthz")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); string(body) != "ok" || err != nil {
		return fmt.Errorf("/healthz: %q, %w", body, err)
	}
	return nil
}

// call is one of the other plugin.
func (w *witness) call() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a, err := w.other.Call(ctx, plugin.Call{Function: "echo", Input: []byte("still here")})
	if err != nil || string(a.Output) != "still here" {
		return fmt.Errorf("the other plugin: %q, %w", a.Output, err)
	}
	return nil
}

// seen is the worst that a pulse saw.
type seen struct {
	tick, gc, other   time.Duration
	ticks, gcs, calls int
	err               error // a call of the other plugin, or a request, that failed
}

func (s seen) String() string {
	return fmt.Sprintf("worst of %d ticks %v, of %d collections %v, of %d other calls %v",
		s.ticks, s.tick.Round(time.Millisecond), s.gcs, s.gc.Round(time.Millisecond), s.calls, s.other.Round(time.Millisecond))
}

// pulse runs during and watches the rest of the process meanwhile. Ticks and
// collections are measured from the moment when they were due, so that a timer
// that comes late counts as well.
func (w *witness) pulse(during func()) seen {
	var s seen
	var mu sync.Mutex
	var wg sync.WaitGroup
	stop := make(chan struct{})
	fail := func(err error) {
		mu.Lock()
		s.err = errors.Join(s.err, err)
		mu.Unlock()
	}
	every := func(pause time.Duration, worst *time.Duration, n *int, f func()) {
		wg.Go(func() {
			for {
				due := time.Now().Add(pause)
				select {
				case <-stop:
					// The one that was due when it ended says nothing: it was not over.
					return
				case <-time.After(pause):
				}
				f()
				*worst = max(*worst, time.Since(due))
				*n++
			}
		})
	}
	every(3*time.Millisecond, &s.tick, &s.ticks, func() {
		if err := w.healthz(); err != nil {
			fail(err)
		}
	})
	every(20*time.Millisecond, &s.gc, &s.gcs, runtime.GC)
	every(5*time.Millisecond, &s.other, &s.calls, func() {
		if err := w.call(); err != nil {
			fail(err)
		}
	})
	during()
	close(stop)
	wg.Wait()
	return s
}

// control is the same pulse beside the same number of threads of ordinary Go
// that spin: what this machine, loaded as it is now, gives to anybody.
func (w *witness) control(for_ time.Duration) seen {
	return w.pulse(func() {
		var wg sync.WaitGroup
		end := time.Now().Add(for_)
		for range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for time.Now().Before(end) {
				}
			})
		}
		wg.Wait()
	})
}

// attempts is how often an attack is watched before it is said to hold up the
// process.
const attempts = 3

// undisturbed demands that during holds nothing up for longer than bound. A
// pulse that was late is compared with a control right after it: late counts
// as the guest's doing when it is more than the bound and more than twice what
// the control saw. One attempt in time is enough; where none of three is, all
// three must be the guest's doing for the test to fail, and not the machine's.
// overrun is a delay that during itself measured.
func (w *witness) undisturbed(t *testing.T, during func() (overrun time.Duration)) {
	t.Helper()
	guests := 0
	for range attempts {
		var overrun time.Duration
		began := time.Now()
		s := w.pulse(func() { overrun = during() })
		took := time.Since(began)
		if s.err != nil {
			t.Fatal(s.err)
		}
		t.Logf("%v: %v, overrun %v", took.Round(time.Millisecond), s, overrun.Round(time.Millisecond))
		if s.tick <= bound && s.gc <= bound && overrun <= bound || t.Failed() {
			return
		}
		c := w.control(min(max(took, 300*time.Millisecond), time.Second))
		t.Logf("late; the control: %v", c)
		late := func(have, control time.Duration) bool { return have > bound && have > 2*control }
		if late(s.tick, c.tick) || late(s.gc, c.gc) || late(overrun, c.tick) {
			guests++
		}
	}
	if guests == attempts {
		t.Errorf("held up the process for more than %v in each of %d attempts", bound, attempts)
		return
	}
	t.Logf("NOT SHOWN: the machine was as late without the guest in %d of %d attempts", attempts-guests, attempts)
}
