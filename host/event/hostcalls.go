package event

// HostCalls counts what a plugin asked of the host in one call.
type HostCalls struct {
	HTTP      uint64 `json:"http,omitempty"` // requests made
	HTTPBytes uint64 `json:"http_bytes,omitempty"`
	Config    uint64 `json:"config,omitempty"` // values read
	Vars      uint64 `json:"vars,omitempty"`   // values read and written
	Logs      uint64 `json:"logs,omitempty"`   // lines
	Files     uint64 `json:"files,omitempty"`  // opened
	Sleeps    uint64 `json:"sleeps,omitempty"`
}
