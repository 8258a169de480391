//go:build unix

package torture

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	"wasmhost/host"
	"wasmhost/host/event"
)

func init() { parts["fill"] = fill }

// Full lets the disk of a running host fill up: a file system of its own, where
// the system lets us mount one, and the limit of file sizes.
func Full(t *testing.T, open Opener) {
	for _, how := range []string{"limit", "disk"} {
		t.Run(how, func(t *testing.T) {
			l, end := alone(t, open, 1)
			defer end()
			p := l.part
			p.Play, p.Point = "fill", how
			v, err := l.live(p, fate{alone: how == "disk"})
			if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) || (v != nil && v.ended["mount"] != "") {
				t.Skip("NOT TESTED on a full disk of its own: this system lets no ordinary user mount a file system: ", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, run := range []string{"full-1", "full-2"} {
				j := Job{ID: run, Kind: "bulk"}
				if v.results[run] == nil {
					t.Fatalf("%s did not end", run)
				}
				if what := right(j, v.results[run]); what != "" {
					t.Errorf("%s: %s", run, what)
				}
				for key, list := range l.server.of(run) {
					// One attempt was in flight when the disk was full.
					if len(list) > 2 || len(list) > 1 && v.done[run][key] {
						t.Errorf("%s: %s was called %d times, acknowledged before: %v", run, key, len(list), v.done[run][key])
					}
				}
			}
		})
	}
}

// space makes room scarce, and gives it back.
type space struct{ scarce, plenty func() error }

// limited takes the largest size of a file for a disk.
func limited() space {
	signal.Ignore(syscall.SIGXFSZ)
	set := func(size uint64) func() error {
		return func() error {
			var r syscall.Rlimit
			if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &r); err != nil {
				return err
			}
			r.Cur = size
			return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &r)
		}
	}
	return space{set(800 << 10), set(1 << 40)}
}

// fill drives runs while the disk is full. What it says with N was acknowledged
// before.
func fill(ctx context.Context, open Opener, p *part) error {
	s := limited()
	if p.Point == "disk" {
		var err error
		if s, err = mounted(p.State); err != nil {
			fmt.Println("E mount", strings.ReplaceAll(err.Error(), " ", "_"))
			return nil
		}
	}
	p.State += "/state"
	h, err := open(ctx, p.config(), nil)
	if err != nil {
		return err
	}
	for _, run := range []string{"full-1", "full-2"} {
		j := Job{ID: run, Kind: "bulk"}
		if err := s.scarce(); err != nil {
			return err
		}
		if err := fails(ctx, h, p, j); err != nil {
			return err
		}
		if run == "full-2" { // now with a host that never saw the disk full
			_ = h.Close(ctx) // it may say that it could not write
			if err := s.plenty(); err != nil {
				return err
			}
			if h, err = open(ctx, p.config(), nil); err != nil {
				return err
			}
		} else if err := s.plenty(); err != nil {
			return err
		}
		d := &driver{host: h, dir: p.Files, say: func(...string) {}}
		r, err := d.drive(ctx, j)
		if err != nil {
			return fmt.Errorf("with space again: %w", err)
		}
		if err := sayResult(j, r); err != nil {
			return err
		}
	}
	return h.Close(ctx)
}

// fails drives a run into the full disk.
func fails(ctx context.Context, h *host.Host, p *part, j Job) error {
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	d := &driver{host: h, dir: p.Files, say: func(words ...string) {
		if words[0] == "N" {
			mu.Lock()
			defer mu.Unlock()
			acknowledged[words[2]] = true
		}
	}}
	_, err := d.drive(ctx, j)
	if code(err) != "journal" {
		return fmt.Errorf("on a full disk the run ended with %w", err)
	}
	// It can still be read.
	if events, err := h.RunEvents(ctx, j.ID, 0, 0); err != nil || len(events) == 0 {
		return fmt.Errorf("on a full disk there are %d events, %w", len(events), err)
	}
	mu.Lock()
	defer mu.Unlock()
	for node := range acknowledged {
		fmt.Println("N", j.ID, node)
	}
	if r, err := h.RunResult(ctx, j.ID); err != nil || r.Status != event.Running {
		return fmt.Errorf("on a full disk the run is %+v, %w", r, err)
	}
	return nil
}
