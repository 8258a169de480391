//go:build unix

package torture

import (
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
)

// made is one call of a plugin, as the server saw it.
type made struct {
	Life    int // of which process: every process has a number of its own
	Attempt int
}

// server counts what plugins do, outside of the processes that are killed. Its
// URL's last element is the number of the process that asks.
type server struct {
	*httptest.Server

	mu    sync.Mutex
	calls map[string][]made // by idempotency key
	lives map[int]*watch
	next  int
}

// watch looks at the calls of one process.
type watch struct {
	calls int
	kill  int // at which call
	after bool
	now   func()
}

func newServer() *server {
	s := &server{calls: map[string][]made{}, lives: map[int]*watch{}}
	s.Server = httptest.NewServer(s)
	return s
}

// life is the number of a new process. kill is called when it makes its n-th
// call, before the answer or as it is sent.
func (s *server) life(n int, after bool, kill func()) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	s.lives[s.next] = &watch{kill: n, after: after, now: kill}
	return s.next
}

func (s *server) url(life int) string { return fmt.Sprintf("%s/%d", s.URL, life) }

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // it was killed while it sent
	}
	number, key, _ := strings.Cut(string(body), " ")
	attempt, err1 := strconv.Atoi(number)
	life, err2 := strconv.Atoi(r.URL.Path[1:])
	if err1 != nil || err2 != nil || key == "" {
		http.Error(w, "invalid: "+string(body), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.calls[key] = append(s.calls[key], made{life, attempt})
	nth := len(s.calls[key])
	l := s.lives[life]
	kill := false
	if l != nil {
		l.calls++
		kill = l.calls == l.kill
	}
	s.mu.Unlock()
	if kill && !l.after {
		l.now()
	}
	s.answer(w, r, key, nth)
	if kill && l.after {
		_ = http.NewResponseController(w).Flush()
		l.now()
	}
}

// answer answers the nth call of a key.
func (s *server) answer(w http.ResponseWriter, r *http.Request, key string, nth int) {
	c := scriptOf(key)
	if c.hang {
		<-r.Context().Done()
		return
	}
	// Up to 2 ms, so that calls of one run overlap in ever other ways.
	h := fnv.New32a()
	fmt.Fprint(h, key, nth)
	time.Sleep(time.Duration(h.Sum32()%2000) * time.Microsecond)
	if c.fails < 0 || nth <= c.fails {
		http.Error(w, c.text, c.status)
		return
	}
	if c.size > 0 {
		fmt.Fprintf(w, "%q", strings.Repeat(key+" ", c.size/(len(key)+1)))
		return
	}
	fmt.Fprintf(w, "%q", node(key))
}

// of is a copy of the calls that one run made, by key without the run.
func (s *server) of(run string) map[string][]made {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := map[string][]made{}
	for key, calls := range s.calls {
		if rest, ok := strings.CutPrefix(key, run+"/"); ok {
			m[rest] = append([]made(nil), calls...)
		}
	}
	return m
}

// count is how many calls a process has made.
func (s *server) count(life int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lives[life].calls
}

// forget drops the calls of a run.
func (s *server) forget(run string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.calls {
		if strings.HasPrefix(key, run+"/") {
			delete(s.calls, key)
		}
	}
}
