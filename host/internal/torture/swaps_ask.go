//go:build unix

package torture

import (
	"context"
	"errors"
	"time"

	"wasmhost/host/event"
)

// lost is err when nobody answered.
func lost(err error) error {
	if code(err) == "unreachable" || errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// send asks for a swap, again while another one is under way: that of a file is
// seen before its turn is over.
func (m *mover) send(ctx context.Context, r event.SwapRequest) (report *event.SwapReport, err error) {
	err = m.unbusy(func() error {
		report, err = m.client().Swap(ctx, r)
		return err
	})
	return report, err
}

// back asks for a rollback in the same way.
func (m *mover) back(ctx context.Context) (info *event.PluginInfo, err error) {
	err = m.unbusy(func() error {
		info, err = m.client().Rollback(ctx, m.name, "")
		return err
	})
	return info, err
}

func (m *mover) unbusy(ask func() error) error {
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if err := ask(); code(err) != "busy" || time.Since(began) > 10*time.Second {
			return err
		}
	}
}
