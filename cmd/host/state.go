package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
	"wasmhost/host/event"
)

// open makes the Host of a command that needs no journal: it neither opens nor
// makes one.
func (a *app) open() (*host.Host, error) { return a.openAs(host.Config{}) }

// openState makes a Host with the journal of the state folder.
func (a *app) openState(c host.Config) (*host.Host, error) {
	dir, err := a.stateDir()
	if err != nil {
		return nil, err
	}
	c.State = dir
	if c.Role == "" {
		c.Role = "run"
	}
	h, err := a.openAs(c)
	var f *failure
	if isJournal(err) && errors.As(err, &f) && codeOf(err) != "served" {
		f.hint = a.again("doctor") + " looks closer; another folder is named with --state DIR"
	}
	return h, err
}

func (a *app) openAs(c host.Config) (*host.Host, error) {
	c.AllowAnyHost = a.c.Bool(anyHost)
	if dir := a.c.String("state"); dir != "" && c.CacheDir == "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, stateFailed(fmt.Sprintf("--state %s cannot be used: %v", clean(dir), err))
		}
	}
	if c.CacheDir == "" {
		c.CacheDir = a.cacheDir()
	}
	h, err := host.Open(a.ctx, c)
	if err != nil {
		return nil, refused(err)
	}
	return h, nil
}

func stateFailed(message string) *failure {
	return &failure{exit: exitJournal, message: message, hint: "name a folder that can be made and written with --state DIR"}
}

// stateDir is the folder of the journal: --state, else the user's state folder.
func (a *app) stateDir() (string, error) {
	if dir := a.c.String("state"); dir != "" {
		return filepath.Abs(dir)
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "host"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", stateFailed(fmt.Sprintf("there is no home folder to keep runs in: %v", err))
	}
	return filepath.Join(home, ".local", "state", "host"), nil
}

// hasJournal reports whether a folder holds anything of a journal. A folder that
// cannot be looked at counts: opening the journal says what is wrong.
func hasJournal(dir string) bool {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return err != nil || slices.ContainsFunc(files, func(f fs.DirEntry) bool { return strings.HasPrefix(f.Name(), "journal.") })
}

// cacheDir is where compiled plugins are kept: in the state folder that was
// named, else in the user's cache folder, and nowhere ("-") when there is none.
func (a *app) cacheDir() string {
	if dir := a.c.String("state"); dir != "" {
		return filepath.Join(dir, "cache")
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "-"
	}
	return filepath.Join(dir, "host")
}

// close ends a Host; what it was doing for us is over already.
func (a *app) close(h *host.Host) {
	_ = h.Close(context.WithoutCancel(a.ctx))
}

// durabilities are the values of --durable.
var durabilities = []string{string(host.DurableNone), string(host.DurableNormal), string(host.DurableFull)}

// durableFlag is --durable; a server has no runs that are not recorded.
func durableFlag(standard host.Durability) cli.Flag {
	none := ""
	if standard == host.DurableNormal {
		none = "none (it is not recorded), "
	}
	return &cli.StringFlag{Name: "durable", EnvVars: []string{"HOST_DURABLE"}, DefaultText: string(standard),
		Usage: "`MODE` what a recorded run survives: " + none + "normal (the death of the process) or full (a power cut too)"}
}

// openForRun makes the Host of `host run`. kept is false when nothing of the run
// will be recorded. With --durable none a journal that cannot be used costs the
// memory of breakers and health checks, and not the run.
func (a *app) openForRun() (h *host.Host, kept bool, err error) {
	durable := host.DurableNormal
	if mode := a.c.String("durable"); mode != "" {
		durable = host.Durability(mode)
	}
	switch durable {
	case host.DurableNormal, host.DurableFull:
		h, err = a.openState(host.Config{Durable: durable})
		return h, true, orNothing(err)
	case host.DurableNone:
		if h, err = a.openState(host.Config{Durable: durable}); isJournal(err) {
			a.say("warning: %v; breakers begin closed", err)
			h, err = a.openAs(host.Config{CacheDir: "-"})
		}
		return h, false, err
	}
	return nil, false, usage("--durable %s: choose none, normal or full", clean(string(durable))).with(helpHint("run"))
}

// isJournal reports whether an error is one of the journal.
func isJournal(err error) bool {
	var f *failure
	var e *event.Error
	return errors.As(err, &f) && f.exit == exitJournal || errors.As(err, &e) && exitOf(e) == exitJournal
}

// orNothing tells how to do without a journal that cannot be used.
func orNothing(err error) error {
	var f *failure
	if isJournal(err) && errors.As(err, &f) {
		f.hint = "name another folder with --state DIR, or record nothing with --durable none"
	}
	return err
}
