package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// server is a `host serve` of its own process, and its client.
type server struct {
	cmd        *exec.Cmd
	log        *bytes.Buffer
	url, token string
	client     *http.Client
}

// startServer builds the command, starts it and waits until it is ready.
func startServer(ctx context.Context, dir string, files []string) (*server, error) {
	binary, state := filepath.Join(dir, "host"), filepath.Join(dir, "served")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/host").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w: %s", err, out)
	}
	s := &server{log: &bytes.Buffer{}, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2000}}}
	s.cmd = exec.CommandContext(ctx, binary, append([]string{"serve", "--addr", "127.0.0.1:0", "--state", state}, files...)...)
	s.cmd.Stderr = s.log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for range 300 {
		if s.find(state) && s.ready(ctx) {
			return s, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	_ = s.stop()
	return nil, fmt.Errorf("host serve is not ready after 30 s: %s", s.log)
}

// find reads where the server is and the token of this machine.
func (s *server) find(state string) bool {
	text, err := os.ReadFile(filepath.Join(state, "serve.json"))
	if err != nil {
		return false
	}
	var at struct{ URL string }
	token, err := os.ReadFile(filepath.Join(state, "admin.token"))
	if err != nil || json.Unmarshal(text, &at) != nil {
		return false
	}
	s.url, s.token = at.URL, strings.TrimSpace(string(token))
	return true
}

func (s *server) ready(ctx context.Context) bool {
	_, err := s.ask(ctx, http.MethodGet, "/readyz", nil)
	return err == nil
}

func (s *server) stop() error {
	_ = s.cmd.Process.Signal(os.Interrupt)
	err := s.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 130 {
		return nil
	}
	return err
}

// resident is the server's memory in MiB.
func (s *server) resident() int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, _ := strconv.Atoi(strings.Fields(rest + " 0")[0])
	return kib / 1024
}

func (s *server) request(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var send io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		send = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, send)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= 300 {
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, res.Status, text)
	}
	return res, nil
}

func (s *server) ask(ctx context.Context, method, path string, body any) ([]byte, error) {
	res, err := s.request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

// run starts a run and waits for its result.
func (s *server) run(ctx context.Context, workflow string) error {
	text, err := s.ask(ctx, http.MethodPost, "/v1/workflows/"+workflow+"/runs", map[string]any{"wait": true})
	if err != nil {
		return err
	}
	var got struct{ Status string }
	if err := json.Unmarshal(text, &got); err != nil {
		return err
	}
	if got.Status != "succeeded" && got.Status != "degraded" {
		return fmt.Errorf("the run is %s: %s", got.Status, text)
	}
	return nil
}

func (s *server) start(ctx context.Context, workflow string) (string, error) {
	text, err := s.ask(ctx, http.MethodPost, "/v1/workflows/"+workflow+"/runs", map[string]any{})
	if err != nil {
		return "", err
	}
	var got struct {
		ID string `json:"run_id"`
	}
	return got.ID, json.Unmarshal(text, &got)
}

func (s *server) cancel(ctx context.Context, id string) error {
	_, err := s.ask(ctx, http.MethodPost, "/v1/runs/"+id+"/cancel", map[string]any{})
	return err
}

// watchers follow a run.
type watchers struct {
	cancel context.CancelFunc
	all    sync.WaitGroup
	told   atomic.Int64
}

// watch returns when every watcher has been told something.
func (s *server) watch(ctx context.Context, id string, n int) (*watchers, error) {
	ctx, cancel := context.WithCancel(ctx)
	w := &watchers{cancel: cancel}
	first := make(chan error, n)
	for range n {
		w.all.Go(func() {
			res, err := s.request(ctx, http.MethodGet, "/v1/runs/"+id+"/events", nil)
			if err != nil {
				first <- err
				return
			}
			defer res.Body.Close()
			lines := bufio.NewScanner(res.Body)
			lines.Buffer(nil, 1<<20)
			seen := false
			for lines.Scan() {
				if !bytes.HasPrefix(lines.Bytes(), []byte("data:")) {
					continue
				}
				w.told.Add(1)
				if !seen {
					first <- nil
				}
				seen = true
			}
			if !seen {
				first <- errors.New("the stream ended before its first event")
			}
		})
	}
	for range n {
		if err := <-first; err != nil {
			w.stop()
			return nil, err
		}
	}
	return w, nil
}

// stop ends the watching and returns how many events were told.
func (w *watchers) stop() int64 {
	w.cancel()
	w.all.Wait()
	return w.told.Load()
}
