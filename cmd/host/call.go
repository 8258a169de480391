package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
	"wasmhost/host/event"
)

func (a *app) callCommand() *cli.Command {
	return &cli.Command{
		Name: "call", ArgsUsage: "SOURCE [FUNCTION]", Usage: "call one function of a plugin",
		Description: `SOURCE is a path, builtin:NAME, or https://… with --sha256. FUNCTION is "run" when it is not given. The
plugin may do nothing but what the --allow flags say. A string goes to it as raw text, anything else as JSON.

Exit codes: 0 answered, 1 failed, 2 usage, 3 no such function, 5 no such plugin, 8 refused module.`,
		Flags: append(inputFlags(),
			&cli.StringSliceFlag{Name: "config", EnvVars: []string{"HOST_CONFIG"}, Usage: "`KEY=VALUE` a setting of the plugin; repeatable"},
			&cli.StringSliceFlag{Name: "arg", EnvVars: []string{"HOST_ARG"}, Usage: "`ARGUMENT` an argument of a WASI program; repeatable"},
			&cli.StringFlag{Name: "sha256", EnvVars: []string{"HOST_SHA256"}, Usage: "`DIGEST` what the module must be"},
			&cli.DurationFlag{Name: "timeout", Value: 30 * time.Second, EnvVars: []string{"HOST_TIMEOUT"}, Usage: "`DURATION` when the call is ended; 0: never"},
			&cli.IntFlag{Name: "repeat", Value: 1, EnvVars: []string{"HOST_REPEAT"}, Usage: "`N` how often to call, one after the other; the last answer is printed"},
			// These widen permissions, so no variables set them.
			&cli.StringSliceFlag{Name: "allow-http", Usage: "`ORIGIN` what the plugin may call; repeatable"},
			&cli.StringSliceFlag{Name: "allow-fs", Usage: "`DIR:AT[:rw]` a folder, and where the plugin sees it; repeatable"},
			&cli.StringSliceFlag{Name: "env", Usage: "`NAME` an environment variable that the plugin may read; repeatable"},
			&cli.BoolFlag{Name: anyHost, Usage: "accept \"*\" as host of --allow-http"},
		),
		Action: a.action(1, 2, forms, a.call),
	}
}

func (a *app) call() error {
	c := a.c
	options := host.PluginOptions{Source: c.Args().First(), SHA256: c.String("sha256"), Args: c.StringSlice("arg"),
		AllowHTTP: c.StringSlice("allow-http"), AllowEnv: c.StringSlice("env"), Config: map[string]string{}}
	for _, kv := range c.StringSlice("config") {
		k, v, ok := strings.Cut(kv, "=")
		if !ok || k == "" {
			return usage("--config %s: write it as KEY=VALUE", clean(kv))
		}
		options.Config[k] = v
	}
	for _, m := range c.StringSlice("allow-fs") {
		p, err := parseMount(m)
		if err != nil {
			return err
		}
		options.AllowFS = append(options.AllowFS, p)
	}
	timeout, repeat := c.Duration("timeout"), c.Int("repeat")
	if timeout < 0 || repeat < 1 {
		return usage("--timeout is 0 or more and --repeat 1 or more")
	}
	input, _, err := a.input()
	if err != nil {
		return err
	}
	h, err := a.open()
	if err != nil {
		return err
	}
	defer a.close(h)
	p, err := h.Plugin(a.ctx, options)
	if err != nil {
		if exit := interrupted(a.ctx); exit != 0 {
			return &failure{exit: exit, message: "interrupted"}
		}
		return a.callFailed(err)
	}
	var r *host.CallResult
	var times []time.Duration
	for range repeat {
		r = p.Call(a.ctx, c.Args().Get(1), input, timeout)
		times = append(times, millis(r.DurationMS))
		if r.Error != nil {
			break
		}
	}
	defer p.Close(context.WithoutCancel(a.ctx))
	return a.called(r, times)
}

// parseMount reads DIR:AT[:rw]. AT begins with a slash, so a colon in DIR (as
// in C:\data) does no harm.
func parseMount(s string) (host.FSPermission, error) {
	rest, write := strings.CutSuffix(s, ":rw")
	i := strings.LastIndex(rest, ":/")
	if i <= 0 {
		return host.FSPermission{}, usage("--allow-fs %s: write it as DIR:AT or DIR:AT:rw, where AT begins with a slash", clean(s)).with("for instance --allow-fs ./data:/data")
	}
	return host.FSPermission{Path: rest[:i], At: rest[i+1:], Write: write}, nil
}

// callFailed is the error of a plugin that could not be loaded, also in the
// shape that -o json promises.
func (a *app) callFailed(err error) error {
	var e *event.Error
	if errors.As(err, &e) && (a.format == "json" || a.format == "jsonl") {
		if err := writeJSON(a.out, &host.CallResult{Error: e, Logs: []host.LogLine{}}, a.format == "json"); err != nil {
			return err
		}
	}
	err = refused(err)
	var f *failure
	if errors.As(err, &f) {
		switch source := a.c.Args().First(); {
		case filepath.Ext(source) == ".toml":
			f.hint = "to run a workflow: host run " + clean(source)
		case strings.HasPrefix(source, "builtin:") && f.exit == exitNotFound:
			f.hint = "there are builtin:" + strings.Join(host.Builtins(), ", builtin:")
		case f.exit == exitNotFound:
			f.hint = "check the path, which is relative to the folder you are in"
		}
	}
	return err
}

func (a *app) called(r *host.CallResult, times []time.Duration) error {
	if a.format == "text" {
		for _, l := range r.Logs {
			if a.verbose() || l.Level == "warn" || l.Level == "error" {
				a.say("%s: %s", l.Level, clean(l.Message))
			}
		}
		for _, w := range r.Warnings {
			a.say("warning: %s", describe(w))
		}
	}
	var err error
	switch a.format {
	case "json", "jsonl":
		err = writeJSON(a.out, r, a.format == "json")
	case "text":
		if r.Error == nil {
			err = writeValue(a.out, r.Output)
		}
	}
	if err != nil {
		return err
	}
	if len(times) > 1 {
		slices.Sort(times)
		a.say("%d calls: fastest %s, median %s, slowest %s", len(times), span(times[0]), span(times[len(times)/2]), span(times[len(times)-1]))
	} else if a.verbose() {
		a.say("%s, %d steps, %d KiB", span(times[0]), r.Steps, r.MemoryBytes/1024)
	}
	if r.Error == nil {
		return nil
	}
	if exit := interrupted(a.ctx); exit != 0 {
		return &failure{exit: exit, message: "the call was interrupted"}
	}
	// Input that the plugin itself rejects is its answer, not wrong usage.
	exit := exitOf(r.Error)
	if exit == exitUsage || exit == exitNotFound {
		exit = exitFailed
	}
	return &failure{exit: exit, message: fmt.Sprintf("the call failed: %s", describe(r.Error)), hint: nextStep(r.Error.Code), cause: r.Error}
}
