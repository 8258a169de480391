package host

import (
	"context"
	"encoding/json"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"wasmhost/host/event"
)

// exported is everything about a run, in one object.
type exported struct {
	Format   int             `json:"format"`
	At       time.Time       `json:"exported_at"`
	Version  version         `json:"version"`
	Run      RunInfo         `json:"run"`
	Result   *event.Result   `json:"result"`
	Events   []*event.Event  `json:"events"`
	Breakers []BreakerInfo   `json:"breakers"`
	Health   []*event.Report `json:"health"`
	Why      []Wait          `json:"why"`
}

type version struct {
	Host string `json:"host"`
	Go   string `json:"go"`
	OS   string `json:"os"`
}

// Export writes everything about a run as one JSON object: the run, its result
// so far, its events, the breakers and health of its workflow, what it waits
// for, and the versions of host and plugins. No secret is in it: none is in the
// journal.
func (h *Host) Export(ctx context.Context, id string, w io.Writer) error {
	info, err := h.RunInfo(ctx, id)
	if err != nil {
		return err
	}
	x := exported{Format: 1, At: h.clock.Now(), Run: *info, Version: version{Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH},
		Breakers: []BreakerInfo{}, Health: []*event.Report{}}
	if b, ok := debug.ReadBuildInfo(); ok {
		x.Version.Host = b.Main.Version
	}
	if x.Result, err = h.RunResult(ctx, info.ID); err != nil {
		return err
	}
	if x.Events, err = h.RunEvents(ctx, info.ID, 0, 0); err != nil {
		return err
	}
	breakers, err := h.AllBreakers(ctx)
	if err != nil {
		return err
	}
	for _, b := range breakers {
		if b.Workflow == info.Workflow {
			x.Breakers = append(x.Breakers, b)
		}
	}
	if reports, err := h.HealthHistory(ctx, info.Workflow, 10); err != nil {
		return err
	} else if reports != nil {
		x.Health = reports
	}
	if x.Why, err = h.Why(ctx, info.ID); err != nil {
		return err
	}
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(&x)
}
