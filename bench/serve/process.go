package main

import (
	"context"
	"fmt"
	"path/filepath"

	"wasmhost/host"
	"wasmhost/host/event"
)

// process runs workflows in this process, as durably as host serve does.
type process struct {
	host      *host.Host
	workflows map[string]*host.Workflow
}

func openProcess(ctx context.Context, dir string, files []string) (*process, error) {
	h, err := host.Open(ctx, host.Config{CacheDir: "-", State: filepath.Join(dir, "process"), Durable: host.DurableFull})
	if err != nil {
		return nil, err
	}
	p := &process{host: h, workflows: map[string]*host.Workflow{}}
	for _, file := range files {
		w, findings, err := h.Load(ctx, file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w %v", file, err, findings)
		}
		p.workflows[w.Name()] = w
	}
	return p, nil
}

func (p *process) run(ctx context.Context, workflow string) error {
	r, err := p.host.Start(ctx, p.workflows[workflow], host.Options{})
	if err != nil {
		return err
	}
	res, err := r.Wait(ctx)
	if err == nil && res.Status != event.Succeeded && res.Status != event.Degraded {
		err = fmt.Errorf("run %s: %s: %v", res.RunID, res.Status, res.Error)
	}
	return err
}

func (p *process) close(ctx context.Context) { _ = p.host.Close(ctx) }
