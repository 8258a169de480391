package host

import "wasmhost/host/internal/server"

// Served is the service behind the server of a Host that serves.
func (h *Host) Served() server.Service { return h.served.Load() }

// RunsHere is how many runs this process knows.
func (h *Host) RunsHere() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.runs) + len(h.followed)
}
