package enginetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
)

// Func is a plugin that is a Go function. It has to obey its context, as real
// plugins do.
type Func func(ctx context.Context, c plugin.Call) (string, error)

// Call makes a Func a plugin.
func (f Func) Call(ctx context.Context, c plugin.Call) (plugin.Answer, error) {
	out, err := f(ctx, c)
	if err != nil {
		return plugin.Answer{Digest: "sha256:func"}, err
	}
	return plugin.Answer{Output: []byte(out), Digest: "sha256:func"}, nil
}

// Plugins are plugins by name, the same ones in every plan.
type Plugins map[string]call.Plugin

// Plugin finds one.
func (p Plugins) Plugin(_ context.Context, _ *workflow.Plan, name string) (call.Plugin, error) {
	if f := p[name]; f != nil {
		return f, nil
	}
	return nil, &event.Error{Class: event.Permanent, Code: "not_found", Message: "there is no plugin " + name}
}

// Echo answers with its input.
func Echo(_ context.Context, c plugin.Call) (string, error) { return string(c.Input), nil }

// Says answers with text.
func Says(text string) Func {
	return func(context.Context, plugin.Call) (string, error) { return text, nil }
}

// Fails fails, with a class that it declares.
func Fails(class, code string) Func {
	return func(context.Context, plugin.Call) (string, error) { return "", Err(class, code) }
}

// Err is an error as a plugin declares it.
func Err(class, code string) *event.Error {
	return &event.Error{Class: class, Code: code, Message: "it says " + code, Declared: true}
}

// After answers as f does, after a time. Cut short it fails as a real plugin
// does.
func After(d time.Duration, f Func) Func {
	return func(ctx context.Context, c plugin.Call) (string, error) {
		if err := Sleep(ctx, d); err != nil {
			return "", err
		}
		return f(ctx, c)
	}
}

// Sleep waits for d; it returns what a plugin returns whose context has ended.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return &event.Error{Class: event.Unknown, Code: "cancelled", Message: context.Cause(ctx).Error(), OutcomeUnknown: true, Cause: context.Cause(ctx)}
	}
}

// Then answers the first call with the first function, and so on; the last one
// answers all that follow.
func Then(all ...Func) Func {
	var mu sync.Mutex
	n := 0
	return func(ctx context.Context, c plugin.Call) (string, error) {
		mu.Lock()
		f := all[min(n, len(all)-1)]
		n++
		mu.Unlock()
		return f(ctx, c)
	}
}

// ByNode answers with the function of the call's node.
func ByNode(all map[string]Func) Func {
	return func(ctx context.Context, c plugin.Call) (string, error) {
		if f := all[c.Meta.Node]; f != nil {
			return f(ctx, c)
		}
		return "", fmt.Errorf("nobody expected a call of %s", c.Meta.Node)
	}
}
