//go:build unix

package torture

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"wasmhost/host"
)

// serving is a `host serve` of its own process, and its client. It may be killed
// and started again; the client is another one then.
type serving struct {
	binary, state, files string
	cmd                  *exec.Cmd
	client               atomic.Pointer[host.Client]
	url                  string
	starts               int
}

// build makes the command from its source.
func (s *serving) build(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "go", "build", "-o", s.binary, "wasmhost/cmd/host").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	return nil
}

// logFile is what the present process says.
func (s *serving) logFile() string { return fmt.Sprintf("%s.log%d", s.state, s.starts) }

// start starts the process and waits until it takes runs.
func (s *serving) start(ctx context.Context) error {
	s.starts++
	said, err := os.Create(s.logFile())
	if err != nil {
		return err
	}
	defer said.Close()
	s.cmd = exec.Command(s.binary, "serve", "--addr", "127.0.0.1:0", "--state", s.state, "--durable", "full", s.files)
	s.cmd.Stdout, s.cmd.Stderr = said, said
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < time.Minute && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		// One that was killed has left its word behind.
		at, err := host.Served(s.state)
		if err != nil || at.PID != s.cmd.Process.Pid {
			continue
		}
		token, err := os.ReadFile(filepath.Join(s.state, "admin.token"))
		if err != nil {
			continue
		}
		client := host.Dial(at.URL, strings.TrimSpace(string(token)))
		if client.Ready(ctx) == nil {
			s.url = at.URL
			if old := s.client.Swap(client); old != nil {
				_ = old.Close()
			}
			return nil
		}
	}
	_ = s.kill()
	text, _ := os.ReadFile(s.logFile())
	return fmt.Errorf("host serve is not ready: %s", bytes.TrimSpace(text))
}

// kill ends the process as a power cut would.
func (s *serving) kill() error {
	_ = s.cmd.Process.Kill()
	return s.wait()
}

func (s *serving) wait() error {
	_ = s.cmd.Wait()
	if status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() != syscall.SIGKILL {
		return fmt.Errorf("host serve ended by itself: %s; see %s", s.cmd.ProcessState, s.logFile())
	}
	return nil
}

// stop ends it as a person does.
func (s *serving) stop() error {
	_ = s.cmd.Process.Signal(os.Interrupt)
	late := time.AfterFunc(time.Minute, func() { _ = s.cmd.Process.Signal(syscall.SIGABRT) })
	defer late.Stop()
	return s.wait()
}

// usage is what the process holds. Descriptors are -1 where the system does not
// tell.
type usage struct {
	resident, heap       int // KiB
	descriptors, threads int
	goroutines           int
}

func (u usage) String() string {
	return fmt.Sprintf("%d MiB resident, %d MiB heap, %d descriptors, %d threads, %d goroutines", u.resident>>10, u.heap>>10, u.descriptors, u.threads, u.goroutines)
}

// settled is the least that the process holds in some seconds without work: the
// rest is garbage, and connections that are about to close.
func (s *serving) settled(ctx context.Context, over time.Duration) (usage, error) {
	var least usage
	_ = s.client.Load().Close() // connections of ours that are idle are not the server's doing
	for began := time.Now(); ; time.Sleep(250 * time.Millisecond) {
		u, err := s.usage(ctx)
		if err != nil {
			return u, err
		}
		if least == (usage{}) {
			least = u
		}
		least = usage{min(least.resident, u.resident), min(least.heap, u.heap), min(least.descriptors, u.descriptors), min(least.threads, u.threads), min(least.goroutines, u.goroutines)}
		if time.Since(began) > over {
			return least, nil
		}
	}
}

func (s *serving) usage(ctx context.Context) (usage, error) {
	u := usage{descriptors: -1}
	of := fmt.Sprintf("/proc/%d/", s.cmd.Process.Pid)
	if text, err := os.ReadFile(of + "status"); err == nil {
		u.resident, u.threads = number64(string(text), "\nVmRSS:"), number64(string(text), "\nThreads:")
	}
	if all, err := os.ReadDir(of + "fd"); err == nil {
		u.descriptors = len(all)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/metrics", nil)
	if err != nil {
		return u, err
	}
	token, err := os.ReadFile(filepath.Join(s.state, "admin.token"))
	if err != nil {
		return u, err
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return u, err
	}
	defer answer.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		return u, fmt.Errorf("/metrics: %s %w", answer.Status, err)
	}
	u.heap = number64(text.String(), "\ngo_memstats_heap_alloc_bytes ") >> 10
	u.goroutines = number64(text.String(), "\ngo_goroutines ")
	return u, nil
}

// number64 is the number behind a name, 0 when it is not there.
func number64(text, name string) int {
	_, rest, _ := strings.Cut(text, name)
	f, _ := strconv.ParseFloat(strings.Fields(rest + " 0")[0], 64)
	return int(f)
}

// wrongs are the things that must not be, in words. It is safe for concurrent
// use.
type wrongs struct {
	mu   sync.Mutex
	list []string
}

func (w *wrongs) add(format string, a ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, fmt.Sprintf(format, a...))
}
