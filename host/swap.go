package host

import (
	"context"
	"errors"
	"fmt"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
)

// What a plugin of a workflow is, and another version of it.
type (
	PluginInfo  = event.PluginInfo
	SwapRequest = event.SwapRequest
	SwapReport  = event.SwapReport
)

// Swap brings another version of a plugin in. Calls in flight end on the version
// that they began with, later attempts take the new one, in every run. It
// returns when the new version is current, on trial, or refused by the report;
// the error is for what has nothing to do with the module. Codes: not_found,
// ambiguous, pinned, busy.
func (h *Host) Swap(ctx context.Context, r SwapRequest) (*SwapReport, error) {
	e, err := h.plugins.find(r.Plugin, h.servedRoots())
	if err != nil {
		return nil, err
	}
	switch r.Mode {
	case "":
		r.Mode = event.SwapNow
	case event.SwapNow, event.SwapCanary, event.SwapShadow:
	default:
		return nil, refusal("bad_request", fmt.Sprintf("mode %q: it is now, canary or shadow", r.Mode))
	}
	if e.spec.SHA256 != "" && !r.Unpin {
		return nil, refusal("pinned", fmt.Sprintf("%s pins plugin %s with sha256; change it there, or swap with unpin", e.plan.File, e.at))
	}
	if err := e.hold(); err != nil {
		return nil, err
	}
	defer e.release()
	return h.swapTo(ctx, e, r, false)
}

// hold keeps others from changing the plugin's version until release.
func (e *entry) hold() error {
	select {
	case e.swap <- struct{}{}:
		return nil
	default:
		return refusal("busy", fmt.Sprintf("another swap of plugin %s is under way", e.at))
	}
}

func (e *entry) release() { <-e.swap }

// swapTo puts a new version through the gates and brings it in. The caller holds
// the entry. fileChanged is true when nobody asks for it but the file of the source.
func (h *Host) swapTo(ctx context.Context, e *entry, r SwapRequest, fileChanged bool) (report *SwapReport, err error) {
	defer func() {
		if report != nil {
			h.observer.Load().swap(e, report)
		}
	}()
	versions, err := h.plugins.load(ctx, e)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if errors.Is(err, errUnused) {
		return nil, err
	}
	spec := e.spec
	if r.Unpin {
		spec.SHA256 = ""
	}
	gate := plugin.Gate{Module: r.Module, AcceptPermissions: r.AcceptPermissions, Functions: h.plugins.functionsOf(e), Health: h.plugins.healthOf(e), Same: r.Same}
	from := plugin.FromSource
	if r.Module != nil {
		from = plugin.FromUpload
	}
	if err != nil {
		// What there is cannot be loaded, so there is nothing to go on with: the
		// first version that can takes its place.
		return h.firstVersion(ctx, e, spec, gate, from, r)
	}
	if r.Replay {
		gate.Replay = versions.Recordings()
	}
	var next *plugin.Plugin
	next, report = h.runtime.Candidate(ctx, spec, versions.Current(), gate)
	report.Plugin, report.Mode = e.at.String(), r.Mode
	var held *string // by the source, as far as it is known
	if from == plugin.FromSource && report.Refused == nil {
		held = e.source.Swap(&report.To)
	}
	switch {
	case next != nil && fileChanged && held != nil && *held == report.To:
		// It was gone, or something else for a while: what somebody chose in its place
		// stays.
		_ = next.Close(context.WithoutCancel(ctx))
		report.Unchanged = true
		return report, nil
	case next == nil:
		if report.Unchanged {
			h.keepSwap(ctx, e, r.By)
		}
		return report, nil
	case r.Mode == event.SwapNow:
		if versions.Swap(next, from) != nil {
			return nil, errUnused // it was forgotten meanwhile
		}
	default:
		err := versions.Try(next, from, plugin.Trial{Mode: r.Mode, Good: r.Good, OnEnd: func(end plugin.TrialEnd) { h.trialEnded(e, end) }})
		if err != nil {
			return nil, err
		}
		return report, nil
	}
	h.keepSwap(ctx, e, r.By)
	return report, nil
}

// firstVersion is a swap of a plugin of which no version could be loaded.
func (h *Host) firstVersion(ctx context.Context, e *entry, spec plugin.Spec, gate plugin.Gate, from string, r SwapRequest) (*SwapReport, error) {
	next, report := h.runtime.Candidate(ctx, spec, nil, gate)
	report.Plugin, report.Mode = e.at.String(), event.SwapNow
	if next == nil {
		return report, nil
	}
	if from == plugin.FromSource {
		e.source.Store(&report.To)
	}
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		_ = next.Close(context.WithoutCancel(ctx))
		return nil, context.Cause(ctx)
	}
	if v := e.live.Load(); v != nil { // it could be loaded after all
		if v.Swap(next, from) != nil {
			<-e.turn
			return nil, errUnused
		}
	} else if e.closed {
		<-e.turn
		_ = next.Close(context.WithoutCancel(ctx))
		return nil, errUnused
	} else {
		e.failed.Store(nil)
		e.live.Store(h.versions(e, next, from))
	}
	<-e.turn
	h.keepSwap(ctx, e, r.By)
	return report, nil
}

// Rollback goes back to the version of a plugin before the present one, or ends
// its canary or shadow. It is a swap like others, without the gates: the one that
// it leaves is the version before then, and a second Rollback brings it back. Codes: not_found, ambiguous, busy, no_version.
func (h *Host) Rollback(ctx context.Context, name, by string) (*PluginInfo, error) {
	return h.shift(ctx, name, by, func(e *entry, v *plugin.Versions) error {
		report, err := v.Rollback(ctx)
		if err != nil {
			return err
		}
		if report != nil && report.Refused != nil {
			return report.Refused
		}
		h.observer.Load().rolledBack(e)
		return nil
	})
}

// Promote makes a plugin's canary or shadow the current version. Codes:
// not_found, ambiguous, busy, no_version.
func (h *Host) Promote(ctx context.Context, name, by string) (*PluginInfo, error) {
	return h.shift(ctx, name, by, func(_ *entry, v *plugin.Versions) error { return v.Promote() })
}

// shift moves among the versions that a plugin has.
func (h *Host) shift(ctx context.Context, name, by string, move func(*entry, *plugin.Versions) error) (*PluginInfo, error) {
	e, err := h.plugins.find(name, h.servedRoots())
	if err != nil {
		return nil, err
	}
	if err := e.hold(); err != nil {
		return nil, err
	}
	defer e.release()
	v := e.live.Load()
	if v == nil {
		return nil, refusal("no_version", fmt.Sprintf("plugin %s has not been loaded: there is no other version", e.at))
	}
	if err := move(e, v); err != nil {
		return nil, err
	}
	h.keepSwap(ctx, e, by)
	info := e.info()
	return &info, nil
}

// eventError is any error as an *event.Error.
func eventError(err error) *event.Error {
	var e *event.Error
	if errors.As(err, &e) {
		return e
	}
	return &event.Error{Class: event.System, Code: "host_failure", Message: err.Error(), Cause: err}
}
