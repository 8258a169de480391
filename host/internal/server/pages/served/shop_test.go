package served

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// shop is a server on loopback that misbehaves as it is told.
type shop struct {
	url  string
	mu   sync.Mutex
	down bool
	hold map[string]chan struct{} // by path: answers wait for it
}

func openShop(t *testing.T) *shop {
	s := &shop{hold: map[string]chan struct{}{}}
	server := httptest.NewServer(s)
	s.url = server.URL
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return s
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	held := s.hold[r.URL.Path]
	s.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-r.Context().Done():
			return
		}
	}
	s.mu.Lock()
	down := s.down
	s.mu.Unlock()
	if down {
		http.Error(w, "the shop is closed <script>alert(1)</script>", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"price": 12.50, "path": %q}`, r.URL.Path)
}

// close has everything fail, until it is opened.
func (s *shop) close(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// held lets answers wait until the function that it returns is called.
func (s *shop) held(path string) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := make(chan struct{})
	s.hold[path] = wait
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.hold, path)
		close(wait)
	})
}
