//go:build unix

package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"wasmhost/host"
	"wasmhost/host/event"
)

// Opener is host.Open with a hook that is called at every named point around a
// write of the journal.
type Opener func(ctx context.Context, c host.Config, point func(name string)) (*host.Host, error)

const partEnv = "TORTURE_PART"

// part is what a process is to do.
type part struct {
	State, Cache, Files string
	URL                 string
	Durable             host.Durability
	Jobs                []Job
	// Point and N: it kills itself when it passes the point for the N-th time.
	// Points that begin with a colon are events, as they are told.
	Point string
	N     int64
	Play  string // "": drive the jobs
}

// parts are what processes do beside driving jobs.
var parts = map[string]func(ctx context.Context, open Opener, p *part) error{}

// Play plays a part, where this process was started for one, and does not
// return then. It is the first thing that a test binary does.
func Play(open Opener) {
	text := os.Getenv(partEnv)
	if text == "" {
		return
	}
	var p part
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		play := parts[p.Play]
		if p.Play == "" {
			play = work
		}
		err = play(context.Background(), open, &p)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (p *part) config() host.Config {
	return host.Config{CacheDir: p.Cache, State: p.State, Durable: p.Durable, Getenv: func(name string) (string, bool) {
		return p.URL, name == "URL"
	}}
}

// work drives jobs side by side, and says on stdout what was acknowledged.
func work(ctx context.Context, open Opener, p *part) error {
	var passed atomic.Int64
	at := func(name string) {
		if name == p.Point && passed.Add(1) == p.N {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // it takes effect any moment
		}
	}
	h, err := open(ctx, p.config(), at)
	if err != nil {
		return err
	}
	d := &driver{host: h, dir: p.Files, say: func(words ...string) {
		if words[0] == "" {
			at(":" + words[1])
			return
		}
		_, _ = os.Stdout.WriteString(strings.Join(words, " ") + "\n")
	}}
	fmt.Println("ready")
	errs := make([]error, len(p.Jobs))
	var wg sync.WaitGroup
	for i, j := range p.Jobs {
		wg.Go(func() {
			r, err := d.drive(ctx, j)
			if err != nil {
				errs[i] = fmt.Errorf("run %s (%s): %w", j.ID, j.Kind, err)
				return
			}
			errs[i] = sayResult(j, r)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return h.Close(ctx)
}

func sayResult(j Job, r *event.Result) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = os.Stdout.WriteString("R " + j.ID + " " + string(text) + "\n")
	return err
}
