package main

import (
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
)

func (a *app) serveCommand() *cli.Command {
	return &cli.Command{
		Name: "serve", ArgsUsage: "[FILE|DIR...]", Usage: "serve workflows: API, pages, schedules, webhooks",
		Description: `A folder stands for its workflow.toml or, where it has none, for every workflow file in it; without
arguments it is this folder. Runs that were interrupted go on. When a file changes, new runs get the new
workflow, and plugins are swapped. Whoever asks needs a token: that of the owner lies in the state folder,
where commands of yours find it. "host tokens" makes others, and links that log a browser in.

A first ctrl-C or SIGTERM stops it: nodes that are at work get --grace, and what has not ended then goes
on at the next start. A second one ends it at once.

Exit codes: 0 stopped, 2 usage, or the address is in use, 3 a workflow is not valid, 5 a file is missing,
8 a module was refused, 9 the state folder cannot be used, or another server has it.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "addr", EnvVars: []string{"HOST_ADDR"}, Usage: "`ADDRESS` where it listens; port 0 is one that is free", DefaultText: host.DefaultAddr},
			&cli.DurationFlag{Name: "grace", EnvVars: []string{"HOST_GRACE"}, Usage: "`TIME` that nodes at work have to end when it stops", DefaultText: "30s"},
			durableFlag(host.DurableFull),
			&cli.IntFlag{Name: "max-runs", EnvVars: []string{"HOST_MAX_RUNS"}, Usage: "`N` runs that go on at once; others queue", DefaultText: "1000"},
			&cli.StringFlag{Name: "retain", EnvVars: []string{"HOST_RETAIN"}, Usage: "`AGE` delete runs that ended longer ago: 12h, 30d", DefaultText: "they are kept"},
			&cli.IntFlag{Name: "retain-count", EnvVars: []string{"HOST_RETAIN_COUNT"}, Usage: "`N` delete ended runs that are not among the newest so many", DefaultText: "they are kept"},
			&cli.StringSliceFlag{Name: "hosts", Usage: "`NAME` a name that requests may be addressed to, such as that of a proxy in front; repeatable"},
			&cli.StringFlag{Name: "base-url", EnvVars: []string{"HOST_BASE_URL"}, Usage: "`URL` where people find the pages, for links in alerts", DefaultText: "the address"},
			&cli.BoolFlag{Name: "secure", EnvVars: []string{"HOST_SECURE"}, Usage: "TLS ends in front of it: cookies go over https only"},
			&cli.BoolFlag{Name: "no-watch", EnvVars: []string{"HOST_NO_WATCH"}, Usage: "take no notice of files that change"},
			&cli.BoolFlag{Name: "no-auth", Usage: "ask for no token; on a loopback address only"},
			anyHostFlag(),
		},
		Action: a.action(0, -1, forms, a.serve),
	}
}

func (a *app) serve() error {
	o, err := a.serveOptions()
	if err != nil {
		return err
	}
	if o.Files, err = servedFiles(a.c.Args().Slice()); err != nil {
		return err
	}
	durable := host.Durability(a.c.String("durable"))
	switch durable {
	case "":
		durable = host.DurableFull
	case host.DurableNormal, host.DurableFull:
	default:
		return usage("--durable %s: a server records its runs; choose normal or full", clean(string(durable))).with(helpHint("serve"))
	}
	h, err := a.openState(host.Config{Durable: durable, Role: "serve", Log: a.serverLog()})
	if err != nil {
		return err
	}
	defer a.close(h)
	// What is wrong with the files is told with places and hints, all of it at once.
	var loaded []*host.Workflow
	var invalid error
	for _, file := range o.Files {
		w, err := a.load(h, file)
		if exit := interrupted(a.ctx); exit != 0 {
			return err
		}
		if err != nil {
			invalid = err
			continue
		}
		loaded = append(loaded, w)
	}
	if invalid != nil {
		return invalid
	}
	o.OnReady = func(info host.ServeInfo) { a.sayServed(loaded, info, o) }
	err = h.Serve(a.ctx, o)
	for _, w := range loaded {
		h.Unload(a.ctx, w)
	}
	if err != nil {
		return refused(err)
	}
	a.say("stopped")
	return nil
}

// serveOptions are the flags.
func (a *app) serveOptions() (o host.ServeOptions, err error) {
	o = host.ServeOptions{Addr: a.c.String("addr"), Grace: a.c.Duration("grace"), NoAuth: a.c.Bool("no-auth"), Hosts: a.c.StringSlice("hosts"), Secure: a.c.Bool("secure"),
		BaseURL: strings.TrimRight(a.c.String("base-url"), "/"), MaxRuns: a.c.Int("max-runs"), KeepRuns: a.c.Int("retain-count"), NoWatch: a.c.Bool("no-watch"), Version: version}
	if text := a.c.String("retain"); text != "" {
		if o.KeepFor, err = parseAge("retain", text); err != nil {
			return o, err
		}
		if o.KeepFor <= 0 {
			return o, usage("--retain %s: runs are kept for some time at least", clean(text))
		}
	}
	for flag, n := range map[string]int{"max-runs": o.MaxRuns, "retain-count": o.KeepRuns} {
		if a.c.IsSet(flag) && n < 1 {
			return o, usage("--%s %d: give 1 or more", flag, n)
		}
	}
	switch {
	case a.c.IsSet("grace") && o.Grace < 0:
		return o, usage("--grace %s: give a time", o.Grace)
	case a.c.IsSet("grace") && o.Grace == 0:
		o.Grace = time.Nanosecond // not the default
	}
	if o.BaseURL != "" {
		if u, err := url.Parse(o.BaseURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return o, usage("--base-url %s is no address of pages", clean(o.BaseURL)).with("for instance https://host.example.com")
		}
	}
	if o.Addr == "" {
		o.Addr = host.DefaultAddr
	}
	name, _, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return o, usage("--addr %s is no address with a port", clean(o.Addr)).with("for instance 127.0.0.1:7070, or :7070 for every address of this machine")
	}
	loopback := name == "localhost" || net.ParseIP(name).IsLoopback()
	switch {
	case o.NoAuth && !loopback:
		return o, usage("--no-auth goes with a loopback address only: others would reach %s, and could do everything", clean(o.Addr)).
			with("listen on 127.0.0.1, or leave --no-auth out and make tokens: host tokens add NAME")
	case o.NoAuth:
		a.say("warning: --no-auth: everybody on this machine, and every program, may do everything")
	case !loopback && !o.Secure:
		a.say("warning: %s is reached from elsewhere over plain http: let a proxy end TLS in front of it, and say --secure", clean(o.Addr))
	}
	return o, nil
}

// serverLog writes what the server has to say to stderr: as text, or as JSON with
// -o json and jsonl.
func (a *app) serverLog() *slog.Logger {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	if a.verbose() {
		o.Level = slog.LevelDebug
	}
	switch a.format {
	case "quiet":
		o.Level = slog.LevelError
	case "json", "jsonl":
		return slog.New(slog.NewJSONHandler(a.err, o))
	}
	return slog.New(slog.NewTextHandler(a.err, o))
}

// sayServed says what is served and where. A link that logs in is a secret for
// ten minutes: it goes to a terminal, and into no log.
func (a *app) sayServed(all []*host.Workflow, info host.ServeInfo, o host.ServeOptions) {
	if a.format != "text" {
		return // the log has it
	}
	a.say("serving on %s", info.URL)
	_ = writeServed(a.err, all, time.Now())
	switch {
	case o.NoAuth:
	case isTerminal(a.err):
		a.say("log in, once and within ten minutes: %s", info.LoginURL)
		a.say("the token of the owner: %s", clean(info.AdminTokenFile))
	default:
		a.say("the token of the owner: %s; a link to log in: %s", clean(info.AdminTokenFile), a.again("tokens", "login"))
	}
	a.say("ctrl-C stops it")
}

// writeServed lists workflows with what starts them.
func writeServed(w io.Writer, all []*host.Workflow, now time.Time) error {
	rows := [][]string{{"WORKFLOW", "FILE", "STARTED BY"}}
	for _, one := range all {
		rows = append(rows, []string{clean(one.Name()), clean(one.Plan().File), startedBy(one, now)})
	}
	return writeTable(w, rows, 0)
}

// startedBy is what starts runs of a workflow besides requests.
func startedBy(w *host.Workflow, now time.Time) string {
	var parts []string
	if hook := w.Plan().Webhook; hook != nil {
		parts = append(parts, "POST /hooks/"+clean(strings.TrimPrefix(hook.Path, "/")))
	}
	for _, s := range w.Plan().Schedules {
		parts = append(parts, s.Cron+" next "+stamp(s.Next(now)))
	}
	return strings.Join(parts, ", ")
}
