package sandboxtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
)

// attack is one guest and what must come of it.
type attack struct {
	name string
	// guest is a source in testdata/hostile, or the path of a module.
	guest    string
	function string
	input    string
	change   func(*plugin.Spec) // permissions and limits; nil: the defaults
	config   plugin.Config
	deadline time.Duration // of a call; 0: patience
	alone    bool          // one call at a time: it takes much memory
	want     answer
	log      func(t *testing.T, lines []string)
}

// answer is what a call must come to: an output, or an error.
type answer struct {
	output  string
	code    string // "": no error, or one without a code when text is set
	class   string
	unknown bool   // OutcomeUnknown
	text    string // what the error's message matches
}

// patience is for guests that end by themselves.
const patience = 20 * time.Second

// hang is the deadline of those that do not.
const hang = 300 * time.Millisecond

// The answers that many attacks have in common.
var (
	stopped   = answer{code: "timeout", class: event.Transient, unknown: true, text: `^timed out while the plugin `}
	exhausted = answer{code: "memory_limit", class: event.System, unknown: true, text: `limits\.memory`}
	trapped   = answer{code: "trap", class: event.System, unknown: true, text: `^the plugin (trapped|was stopped): `}
)

func (a answer) with(text string) answer {
	a.text = text
	return a
}

// check says in what an answer differs from the one that is wanted.
func (a answer) check(got plugin.Answer, err error) error {
	if err == nil {
		if a.code != "" || a.text != "" || string(got.Output) != a.output {
			return fmt.Errorf("no error, output %.200q; want %+v", got.Output, a)
		}
		return nil
	}
	var e *event.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%T is no *event.Error: %w", err, err)
	}
	if e.Code != a.code || e.Class != a.class || e.OutcomeUnknown != a.unknown || a.text == "" || !regexp.MustCompile(a.text).MatchString(e.Message) {
		return fmt.Errorf("class %q code %q unknown %v: %.500s; want %+v", e.Class, e.Code, e.OutcomeUnknown, e.Message, a)
	}
	if len(e.Message) > 20<<10 {
		return fmt.Errorf("a message of %d bytes", len(e.Message))
	}
	return nil
}

// spec is the plugin of an attack.
func (a *attack) spec(t testing.TB) plugin.Spec {
	s := plugin.Spec{Name: "hostile", Source: a.guest}
	if !filepath.IsAbs(a.guest) {
		s.Source = build(t, a.guest)
	}
	if a.change != nil {
		a.change(&s)
	}
	return s
}

// run loads the guest and lets as many calls as there are processors attack at
// once; those that end by themselves do so again for a while. It returns by how
// much a call came back after its deadline.
func (a *attack) run(t *testing.T) (overrun time.Duration) {
	rt := plugin.NewRuntime(a.config)
	defer func() {
		if err := rt.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	p, err := rt.Load(t.Context(), a.spec(t))
	if err != nil {
		t.Error(a.name, err)
		return 0
	}
	callers, enough := runtime.GOMAXPROCS(0), time.Now().Add(100*time.Millisecond)
	if a.alone {
		callers = 1
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range callers {
		wg.Go(func() {
			for again := true; again; again = time.Now().Before(enough) {
				var lines []string
				ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(a.deadline, patience))
				began := time.Now()
				got, err := p.Call(ctx, plugin.Call{Function: a.function, Input: []byte(a.input), Log: func(level, message string) {
					lines = append(lines, level+" "+message)
				}})
				took := time.Since(began)
				cancel()
				if err := a.want.check(got, err); err != nil {
					t.Error(a.name, err)
					return
				}
				if a.log != nil {
					a.log(t, lines)
				}
				mu.Lock()
				if a.deadline != 0 {
					overrun = max(overrun, took-a.deadline)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return overrun
}

// attacked runs a table of attacks, each as a subtest: the right answer, nobody
// disturbed, everything back afterwards.
func attacked(t *testing.T, attacks []attack) {
	w := newWitness(t)
	w.control(50 * time.Millisecond) // what is made when it is first used
	for _, a := range attacks {
		t.Run(strings.ReplaceAll(a.name, " ", "_"), func(t *testing.T) {
			a.spec(t) // built before anything is measured
			before := holding()
			w.undisturbed(t, func() time.Duration { return a.run(t) })
			back(t, before)
		})
	}
}

// watched is attacked for something else than a call.
func watched(t *testing.T, during func() time.Duration) {
	w := newWitness(t)
	w.control(50 * time.Millisecond)
	before := holding()
	w.undisturbed(t, during)
	back(t, before)
}
